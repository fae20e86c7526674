import { type BurningTask, type Runway, runwayOf } from "../statement/runway.ts";
import type { Statement } from "../statement/statement.ts";
import { chainError } from "./errors.ts";
import type { StatementSource } from "./statement.ts";
import { readTask } from "./tasks.ts";

/** How long the account's money lasts: its reservations are in the statement, which leases run is read from the chain. */
export async function readRunway(
  { publicClient: client, network }: StatementSource,
  { now, reservations }: Pick<Statement, "now" | "reservations">,
): Promise<Runway> {
  try {
    const [head, tasks] = await Promise.all([
      client.getBlock(),
      Promise.all(
        [...reservations].map(async ([taskId, left]): Promise<BurningTask> => {
          const { task, lease } = await readTask(client, network, taskId);
          const running =
            lease.status === "Running" ? [{ ratePerHour: task.ratePerHour, since: lease.startedAt }] : [];
          return { taskId, left, running };
        }),
      ),
    ]);
    return runwayOf({ now: head.timestamp, free: now.free, tasks });
  } catch (cause) {
    throw chainError(cause, "read the account's runway", network);
  }
}
