import { DekuperError, type Order, taskRegistryAbi } from "@dekuper/protocol";
import { type Hex, parseEventLogs } from "viem";
import { plain, type Sender, type SentTransaction, send } from "./send.ts";

/** A created task. */
export interface CreatedTask extends SentTransaction {
  readonly taskId: Hex;
  readonly leaseId: Hex;
  readonly reserved: bigint;
}

const registryOf = (sender: Sender) =>
  ({ address: sender.network.deployment.taskRegistry, abi: taskRegistryAbi }) as const;

/** Orders the task and reserves its maximum. */
export async function createTask(sender: Sender, order: Order): Promise<CreatedTask> {
  const sent = await send(sender, "create the task", {
    ...registryOf(sender),
    functionName: "createTask",
    args: [order],
  });
  const [created] = parseEventLogs({
    abi: taskRegistryAbi,
    logs: sent.receipt.logs,
    eventName: "TaskCreated",
  });
  if (created === undefined) throw new DekuperError("INTERNAL", `No TaskCreated event in ${sent.hash}.`);
  const { taskId, leaseId, reserved } = created.args;
  return { ...plain(sent), taskId, leaseId, reserved };
}

export async function cancelTask(sender: Sender, taskId: Hex): Promise<SentTransaction> {
  return plain(
    await send(sender, "cancel the task", {
      ...registryOf(sender),
      functionName: "cancelTask",
      args: [taskId],
    }),
  );
}

/** The consumer is content: settles at once. */
export async function approve(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  return plain(
    await send(sender, "approve the lease", {
      ...registryOf(sender),
      functionName: "approve",
      args: [leaseId],
    }),
  );
}

/** Pays a completed lease once its window is over. Anyone may. */
export async function settle(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  return plain(
    await send(sender, "settle the lease", {
      ...registryOf(sender),
      functionName: "settle",
      args: [leaseId],
    }),
  );
}

/** Enforces whichever deadline has passed. Anyone may. */
export async function expire(sender: Sender, leaseId: Hex): Promise<SentTransaction> {
  return plain(
    await send(sender, "expire the lease", {
      ...registryOf(sender),
      functionName: "expire",
      args: [leaseId],
    }),
  );
}
