"use client";

import {
  awardTask,
  deriveTaskKey,
  type OrderPath,
  type PreparedTask,
  planTask,
  preparePrivateTask,
  prepareTask,
  type QuotedPlan,
  requirePlan,
  type SubmitStep,
  type SubmittedTask,
  signerOf,
  submitTask,
} from "@dekuper/client";
import { DekuperError, type TaskFile } from "@dekuper/protocol";
import { useState } from "react";
import { formatMoney, type Token } from "../../ui/money.ts";
import { useMarket } from "../market/market-provider.tsx";
import { toDeposit } from "../market/relay-choice.ts";
import { useAction } from "../market/use-action.ts";
import { usePeers } from "../peers/peer-provider.tsx";
import { keepTask } from "../task/spec-store.ts";
import { outputKeyFor } from "../wallet/output-key.ts";
import type { TaskForm } from "./form.ts";
import { inputsOf } from "./inputs.ts";

/** Where a submission stands, in the order in which it goes. */
export const phases = ["key", "deposit", "upload", "order"] as const;
export type Phase = (typeof phases)[number];

export interface Progress {
  readonly phase: Phase;
  readonly detail: string;
}

export interface Draft {
  readonly form: TaskForm;
  readonly file: TaskFile;
  readonly files: readonly File[];
  readonly path: OrderPath;
  /** What nodes said: needed for the quoted path. */
  readonly quoted: QuotedPlan | undefined;
  /** What was shown that the task may cost: it is not ordered at more. Base units. */
  readonly atMost: bigint | undefined;
}

/**
 * Derives the output key, seals a private task, deposits what is short, puts spec and inputs on nodes, and orders: with the
 * quotes of the nodes chosen, which assigns the task and hands it its key in the same transaction, or at a posted rate.
 */
export function useSubmit(onCreated: (task: SubmittedTask) => void) {
  const market = useMarket();
  const peers = usePeers();
  const [progress, setProgress] = useState<Progress | undefined>();
  const action = useAction(async (draft: Draft): Promise<SubmittedTask> => {
    const { wallet, network } = market;
    if (wallet === undefined) throw new DekuperError("NOT_ALLOWED", "Connect a wallet to create a task.");
    setProgress({ phase: "key", detail: "Your wallet signs; the first time twice. No transaction." });
    const key = await outputKeyFor(signerOf(wallet), network.deployment);
    const inputs = await inputsOf(draft.form, draft.files);
    const [token, terms, nodes, head, account, peer] = await Promise.all([
      market.token(),
      market.terms(),
      market.nodes(),
      market.head(),
      market.account(wallet.account.address),
      peers.peer(),
    ]);
    const settings = { file: draft.file, network, token, inputs, recipient: key.recipient };
    let task: PreparedTask;
    if (draft.form.isPublic) task = prepareTask(settings);
    else {
      setProgress({ phase: "key", detail: "Sealing script, environment and inputs." });
      task = await preparePrivateTask(settings, deriveTaskKey(key));
    }
    const onStep = (step: SubmitStep) => setProgress(progressOf(step));
    const beginUpload = async (reserved: bigint) => {
      const missing = toDeposit(reserved, account.free, market.relayFee);
      if (missing > 0n) {
        setProgress({ phase: "deposit", detail: "Your wallet asks for the deposit." });
        await market.deposit(missing);
      }
      keepTask(task);
      setProgress({ phase: "upload", detail: "Connecting to nodes." });
    };
    if (draft.path === "quoted") {
      const plan = requireQuotes(draft.quoted);
      await beginUpload(plan.reserved ?? 0n);
      return awardTask({ market, peer, task, plan, cap: plan.cap, nodes, onStep });
    }
    const presence = peers.state === "ready" ? peers.presence : undefined;
    const facts = { token, terms, now: head.timestamp, presence, nowMs: Date.now() };
    const plan = planTask(task.planOrder, nodes, facts);
    const { reserved, atMost } = requirePlan(plan);
    if (draft.atMost !== undefined && atMost > draft.atMost) throw dearer(atMost, draft.atMost, token);
    await beginUpload(reserved);
    return submitTask({ market, peer, task, plan, onStep });
  }, onCreated);
  return { ...action, progress };
}

function requireQuotes(quoted: QuotedPlan | undefined): QuotedPlan {
  if (quoted === undefined) {
    throw new DekuperError("NO_NODE_FITS", "Nodes have not answered yet.", {
      hint: "Wait for their answers.",
    });
  }
  if (quoted.problem !== undefined) throw quoted.problem;
  return quoted;
}

function dearer(atMost: bigint, shown: bigint, token: Token): DekuperError {
  return new DekuperError(
    "BUDGET_EXCEEDED",
    `Rates have just risen: the task may cost ${formatMoney(atMost, token)} now, not ${formatMoney(shown, token)}.`,
    { details: { atMost, shown }, hint: "Look at the plan again." },
  );
}

function progressOf(step: SubmitStep): Progress {
  switch (step.kind) {
    case "uploading":
      return { phase: "upload", detail: `Sending ${step.name.kind} to ${step.node.slice(0, 8)}…` };
    case "uploaded":
      return { phase: "upload", detail: `${step.node.slice(0, 8)}… has everything.` };
    case "unreachable":
      return {
        phase: "upload",
        detail: `${step.node.slice(0, 8)}… cannot be reached: ${step.error.message}`,
      };
    case "quoting":
      return { phase: "order", detail: "Nodes sign their quotes." };
    case "ordering":
      return { phase: "order", detail: "Your wallet asks for the order's transaction." };
  }
}
