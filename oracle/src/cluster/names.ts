import { attemptKey } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { AttemptRef } from "./driver.ts";

/** Labels of everything that an oracle makes. Values are at most 63 characters, so ids stand in annotations in full. */
export const labels = {
  managedBy: "app.kubernetes.io/managed-by",
  node: "dekuper.io/node",
  lease: "dekuper.io/lease",
  attempt: "dekuper.io/attempt",
  probe: "dekuper.io/probe",
} as const;
export const MANAGED_BY = "dekuper";

/** Annotations of an attempt's namespace. */
export const annotations = {
  chainId: "dekuper.io/chain-id",
  registry: "dekuper.io/registry",
  taskId: "dekuper.io/task-id",
  leaseId: "dekuper.io/lease-id",
  attempt: "dekuper.io/attempt",
  /** The Job's uid, written before it may run: a Job that is missing afterwards has been deleted and is never made again. */
  jobUid: "dekuper.io/job-uid",
} as const;

/** Names inside an attempt's namespace. */
export const names = {
  job: "run",
  main: "main",
  helper: "helper",
  inputs: "inputs",
  serviceAccount: "run",
  quota: "attempt",
  limits: "attempt",
  policy: "default-deny",
} as const;

/** The attempt's namespace: `dkp-` and the first 16 hex digits of its key. */
export function namespaceOf(ref: Pick<AttemptRef, "leaseId" | "attempt">): string {
  return `dkp-${attemptKey(ref.leaseId, ref.attempt).slice(2, 18)}`;
}

/** Labels of one attempt's objects. */
export function attemptLabels(
  node: Hex,
  ref: Pick<AttemptRef, "leaseId" | "attempt">,
): Record<string, string> {
  return {
    [labels.managedBy]: MANAGED_BY,
    [labels.node]: node.toLowerCase(),
    [labels.lease]: ref.leaseId.slice(2, 18),
    [labels.attempt]: String(ref.attempt),
  };
}

/** Selects everything that this oracle made for attempts. */
export function ownSelector(node: Hex): string {
  return `${labels.managedBy}=${MANAGED_BY},${labels.node}=${node.toLowerCase()},${labels.lease}`;
}

/** Reads an attempt back from its namespace's annotations; undefined if they are not an oracle's. */
export function attemptOf(found: Readonly<Record<string, string>> | undefined): AttemptRef | undefined {
  const chainId = Number(found?.[annotations.chainId]);
  const registry = found?.[annotations.registry];
  const leaseId = found?.[annotations.leaseId];
  const attempt = Number(found?.[annotations.attempt]);
  if (!Number.isSafeInteger(chainId) || !Number.isSafeInteger(attempt)) return undefined;
  if (!/^0x[0-9a-fA-F]{40}$/.test(registry ?? "") || !/^0x[0-9a-f]{64}$/.test(leaseId ?? ""))
    return undefined;
  return { chainId, registry: registry as Hex, leaseId: leaseId as Hex, attempt };
}
