import { leaseId as leaseIdOf, leaseStatuses, taskRegistryAbi } from "@dekuper/protocol";
import type { Hex } from "viem";
import { ranWithin, runsSince } from "../gang-clock.ts";
import { type BurningLease, type Runway, runwayOf } from "../statement/runway.ts";
import type { Statement } from "../statement/statement.ts";
import { chainError } from "./errors.ts";
import type { StatementSource } from "./statement.ts";

/** How long the account's money lasts: its reservations are in the statement, which leases run is read from the chain. */
export async function readRunway(
  source: StatementSource,
  { now, reservations }: Pick<Statement, "now" | "reservations">,
): Promise<Runway> {
  try {
    const { timestamp } = await source.publicClient.getBlock();
    const ofTasks = [...reservations.keys()].map((taskId) => readBurning(source, taskId, timestamp));
    return runwayOf({ ...now, leases: (await Promise.all(ofTasks)).flat() });
  } catch (cause) {
    throw chainError(cause, "read the account's runway", source.network);
  }
}

/** The leases of a task whose clocks run at chain time `now`; those of a gang run together or not at all. */
async function readBurning(
  { publicClient: client, network }: StatementSource,
  taskId: Hex,
  now: bigint,
): Promise<BurningLease[]> {
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const task = await client.readContract({ ...contract, functionName: "getTask", args: [taskId] });
  const isGang = task.leaseCount > 1 && task.threshold === 0;
  const [gang, ...leases] = await Promise.all([
    isGang ? client.readContract({ ...contract, functionName: "getGang", args: [taskId] }) : undefined,
    ...Array.from({ length: task.leaseCount }, (_, index) =>
      client.readContract({ ...contract, functionName: "getLease", args: [leaseIdOf(taskId, index)] }),
    ),
  ]);
  if (gang !== undefined && runsSince(gang) === 0n) return [];
  return leases
    .filter(({ status }) => leaseStatuses[status] === "Running")
    .map(({ reserved, ratePerHour, startedAt }) => ({
      taskId,
      reserved,
      ratePerHour,
      ranSeconds: gang === undefined ? now - startedAt : ranWithin(gang, startedAt, now),
    }));
}
