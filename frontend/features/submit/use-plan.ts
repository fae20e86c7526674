"use client";

import { type MarketNode, type PreparedTask, planTask, prepareTask, type TaskPlan } from "@dekuper/client";
import type { TaskFile } from "@dekuper/protocol";
import { useMemo } from "react";
import { useNow } from "../../ui/use-now.ts";
import { useChainTime, useNodes, useTerms, useToken } from "../market/market-queries.ts";
import { useNetwork } from "../network/network-provider.tsx";
import { usePeers } from "../peers/peer-provider.tsx";
import type { TaskForm } from "./form.ts";
import { unhashedInputs } from "./inputs.ts";

/** Stands for the output key until the wallet has signed: the plan does not depend on it. */
const NO_RECIPIENT = `age1${"q".repeat(58)}`;
const NO_SALT = `0x${"0".repeat(64)}` as const;

/** What the page makes of the form while one types. Without a plan: it is being read, or `error` says why there is none. */
export interface LivePlan {
  /** The order's shape; not what will be ordered: key, salt and digests come with the wallet's signature. */
  readonly task: PreparedTask | undefined;
  readonly plan: TaskPlan | undefined;
  readonly nodes: readonly MarketNode[] | undefined;
  readonly error: unknown;
}

const NOTHING: LivePlan = { task: undefined, plan: undefined, nodes: undefined, error: undefined };

/** Which nodes would take the task right now by what they post: the SDK's plan, fed with what this page knows. */
export function usePlan(file: TaskFile | undefined, form: TaskForm, files: readonly File[]): LivePlan {
  const network = useNetwork();
  const token = useToken();
  const { data: nodes } = useNodes();
  const { data: terms } = useTerms();
  const now = useChainTime();
  const nowMs = useNow(3_000);
  const peers = usePeers();
  const prepared = useMemo((): PreparedTask | { error: unknown } | undefined => {
    if (file === undefined || token === undefined) return undefined;
    try {
      const inputs = unhashedInputs(form, files);
      return prepareTask({ file, network, token, inputs, recipient: NO_RECIPIENT, salt: NO_SALT });
    } catch (error) {
      return { error };
    }
  }, [file, form, files, network, token]);
  if (prepared === undefined) return NOTHING;
  if ("error" in prepared) return { ...NOTHING, error: prepared.error };
  if (token === undefined || nodes === undefined || terms === undefined || now === undefined) return NOTHING;
  const presence = peers.state === "ready" ? peers.presence : undefined;
  const facts = { token, terms, now: BigInt(now), presence, nowMs };
  return { task: prepared, plan: planTask(prepared.planOrder, nodes, facts), nodes, error: undefined };
}
