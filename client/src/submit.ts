import {
  type BlobName,
  type BlobSource,
  DekuperError,
  formatAmount,
  isDekuperError,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { CreatedTask } from "./chain/task-calls.ts";
import type { ConsumerPeer } from "./consumer-peer.ts";
import type { Market } from "./market.ts";
import { requirePlan, type TaskPlan } from "./plan.ts";
import { orderOf, type PreparedTask } from "./task.ts";

/** Nodes that get spec and inputs before the task exists; the one that accepts fetches from them what it lacks. */
export const MAX_SEEDED_NODES = 3;

/** What `submitTask` reports while it works. */
export type SubmitStep =
  | { readonly kind: "uploading"; readonly node: Address; readonly name: BlobName; readonly size: number }
  | { readonly kind: "uploaded"; readonly node: Address; readonly bytes: number }
  | { readonly kind: "unreachable"; readonly node: Address; readonly error: DekuperError }
  | { readonly kind: "ordering"; readonly ratePerHour: bigint; readonly reserved: bigint };

export interface SubmittedTask extends CreatedTask {
  /** Nodes that hold spec and inputs. */
  readonly seeded: readonly Address[];
}

/**
 * Puts spec and inputs on the nodes that fit (up to three, online ones first), then creates the task: a node that
 * accepts finds the data there. Throws the plan's problem, `PEER_UNREACHABLE` when no node took the data, or what the
 * chain says.
 */
export async function submitTask(from: {
  market: Market;
  peer: ConsumerPeer;
  task: PreparedTask;
  plan: TaskPlan;
  onStep?: ((step: SubmitStep) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<SubmittedTask> {
  const { market, task, plan, onStep } = from;
  const { ratePerHour, atMost } = requirePlan(plan);
  await requireFunds(market, atMost);
  const seeded = await seed(from);
  onStep?.({ kind: "ordering", ratePerHour, reserved: atMost });
  from.signal?.throwIfAborted();
  const head = await market.head();
  const created = await market.createTask(orderOf(task, ratePerHour, head.timestamp));
  return { ...created, seeded };
}

/** Checks before anything is uploaded that the escrow account can cover the reservation. */
async function requireFunds(market: Market, atMost: bigint): Promise<void> {
  const consumer = market.wallet?.account.address;
  if (consumer === undefined) throw new DekuperError("NOT_ALLOWED", "A wallet is needed to order a task.");
  const [account, token] = await Promise.all([market.account(consumer), market.token()]);
  if (account.free >= atMost) return;
  const missing = formatAmount(atMost - account.free, token);
  throw new DekuperError(
    "INSUFFICIENT_FUNDS",
    `The task reserves ${formatAmount(atMost, token)}; ${consumer} has ${formatAmount(account.free, token)} free in escrow.`,
    {
      details: { account: consumer, free: account.free, needs: atMost, missing: atMost - account.free },
      hint: `Run \`dekuper account deposit "${missing}"\`.`,
    },
  );
}

async function seed(from: {
  peer: ConsumerPeer;
  task: PreparedTask;
  plan: TaskPlan;
  onStep?: ((step: SubmitStep) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<Address[]> {
  const { plan, onStep, signal } = from;
  const fitting = plan.nodes.filter((node) => node.fits);
  const failures: DekuperError[] = [];
  const seeded: Address[] = [];
  const waiting = fitting.map((node) => node.node);
  // Each worker takes the next node until enough have the data; one that cannot be reached gives way to the next.
  const work = async () => {
    for (let node = waiting.shift(); node !== undefined; node = waiting.shift()) {
      try {
        const bytes = await putAll({ ...from, node });
        seeded.push(node);
        onStep?.({ kind: "uploaded", node, bytes });
        return;
      } catch (error) {
        if (signal?.aborted || !isDekuperError(error)) throw error;
        failures.push(error);
        onStep?.({ kind: "unreachable", node, error });
      }
    }
  };
  await Promise.all(Array.from({ length: MAX_SEEDED_NODES }, work));
  if (seeded.length > 0) return seeded;
  const [first] = failures;
  throw new DekuperError(
    first?.code === "BLOB_QUOTA" ? "BLOB_QUOTA" : "PEER_UNREACHABLE",
    `None of ${fitting.length} fitting ${fitting.length === 1 ? "node" : "nodes"} took spec and inputs: ${first?.message ?? "none is online."}`,
    {
      details: { nodes: fitting.length },
      cause: first,
      hint: "Nothing was ordered and nothing was paid. Try again later.",
    },
  );
}

async function putAll(from: {
  peer: ConsumerPeer;
  task: PreparedTask;
  node: Address;
  onStep?: ((step: SubmitStep) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<number> {
  const { peer, task, node, onStep, signal } = from;
  const blobs = new Map<Hex, { name: BlobName; source: BlobSource }>();
  for (const { digest, source } of task.inputs) {
    blobs.set(digest, { name: { kind: "input", digest }, source });
  }
  blobs.set(task.specDigest, {
    name: { kind: "spec", digest: task.specDigest },
    source: sourceOf(task.specBytes),
  });
  let total = 0;
  for (const { name, source } of blobs.values()) {
    onStep?.({ kind: "uploading", node, name, size: source.size });
    await peer.putBlob(node, name, source, { signal });
    total += source.size;
  }
  return total;
}

/** Bytes in memory as a source that can be opened again. */
export function sourceOf(bytes: Uint8Array): BlobSource {
  return {
    size: bytes.length,
    async *open(offset) {
      if (offset < bytes.length) yield bytes.subarray(offset);
    },
  };
}
