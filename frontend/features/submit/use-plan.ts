"use client";

import { type PreparedTask, planTask, prepareTask, type TaskPlan } from "@dekuper/client";
import type { TaskFile } from "@dekuper/protocol";
import { useMemo } from "react";
import { useNow } from "../../ui/use-now.ts";
import { useChainTime, useNodes, useTerms, useToken } from "../market/market-queries.ts";
import { useNetwork } from "../network/network-provider.tsx";
import { usePeers } from "../peers/peer-provider.tsx";

/** Stands for the output key until the wallet has signed: the plan does not depend on it. */
const NO_RECIPIENT = `age1${"q".repeat(58)}`;
const NO_SALT = `0x${"0".repeat(64)}` as const;

export interface LivePlan {
  readonly plan: TaskPlan | undefined;
  /** Why there is no plan: the file does not make a task. */
  readonly error: unknown;
}

/** Which nodes would take the task right now, and at what rate: the SDK's plan, fed with what this page knows. */
export function usePlan(file: TaskFile | undefined): LivePlan {
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
      return prepareTask({ file, network, token, inputs: [], recipient: NO_RECIPIENT, salt: NO_SALT });
    } catch (error) {
      return { error };
    }
  }, [file, network, token]);
  if (prepared === undefined) return { plan: undefined, error: undefined };
  if ("error" in prepared) return { plan: undefined, error: prepared.error };
  if (token === undefined || nodes === undefined || terms === undefined || now === undefined) {
    return { plan: undefined, error: undefined };
  }
  const presence = peers.state === "ready" ? peers.presence : undefined;
  return {
    plan: planTask(prepared.planOrder, nodes, { token, terms, now: BigInt(now), presence, nowMs }),
    error: undefined,
  };
}
