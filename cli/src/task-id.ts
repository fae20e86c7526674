import type { Market } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { ConsumerFolder } from "./state-folder.ts";

/** Fewest hex digits of a short id. */
const LEAST_DIGITS = 4;

/** A task id argument: whole, or the beginning of the id of one of the account's own tasks. */
export async function findTaskId(from: {
  text: string;
  market: Market;
  folder: ConsumerFolder;
  consumer: Address | undefined;
}): Promise<Hex> {
  const text = from.text.toLowerCase().replace(/…$/, "");
  if (/^0x[0-9a-f]{64}$/.test(text)) return text as Hex;
  if (!new RegExp(`^0x[0-9a-f]{${LEAST_DIGITS},63}$`).test(text)) {
    throw new DekuperError(
      "USAGE",
      `Got ${JSON.stringify(from.text)} as task id, expected 0x and 64 hex digits, or the first ${LEAST_DIGITS} or more of one.`,
      { details: { got: from.text }, hint: "`dekuper task list` shows the ids." },
    );
  }
  const local = await from.folder.taskIds();
  const onChain = from.consumer === undefined ? [] : await from.market.tasks(from.consumer);
  const ids = new Set<Hex>([
    ...local,
    ...onChain.flatMap(({ task, leases }) => [task.taskId, ...leases.map(({ leaseId }) => leaseId)]),
  ]);
  const matching = [...ids].filter((id) => id.startsWith(text));
  const [only] = matching;
  if (matching.length === 1 && only !== undefined) return only;
  if (matching.length > 1) {
    throw new DekuperError("USAGE", `${matching.length} ids begin with ${text}: ${matching.join(", ")}.`, {
      details: { got: from.text },
      hint: "Give more digits.",
    });
  }
  throw new DekuperError("NOT_FOUND", `None of your tasks begins with ${text}.`, {
    details: { id: from.text },
  });
}
