import type { TimelineEvent } from "@dekuper/client";
import { formatSeconds } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { formatMoney, type Token } from "../../ui/money.ts";
import { endingOf } from "./states.ts";

/** One transaction of a task with everything that it did to it. */
export interface TimelineStep {
  readonly hash: Hex;
  readonly block: bigint;
  readonly time: bigint;
  readonly from: Address;
  readonly gasUsed: bigint;
  readonly title: string;
  readonly details: readonly string[];
}

/** Events of one transaction become one step: its title from the task's own event, its details from all. */
export function stepsOf(timeline: readonly TimelineEvent[], token: Token): TimelineStep[] {
  const byHash = Map.groupBy(timeline, (event) => event.hash);
  return [...byHash.values()].flatMap((events) => {
    const main = events.find((event) => TITLES[event.name] !== undefined) ?? events[0];
    if (main === undefined) return [];
    const { hash, block, time, from, gasUsed } = main;
    const details = events.flatMap((event) => detailOf(event, token) ?? []);
    return { hash, block, time, from, gasUsed, title: TITLES[main.name] ?? spaced(main.name), details };
  });
}

const TITLES: Readonly<Record<string, string>> = {
  TaskCreated: "Ordered",
  LeaseAssigned: "Accepted by a node",
  LeaseStarted: "Started",
  CheckpointClaimed: "Progress claimed",
  LeaseStopping: "Stopped by you",
  LeaseCompleted: "Run ended, result signed",
  LeaseSettled: "Paid",
  LeaseCancelled: "Cancelled",
  LeaseFailed: "Given up by the node",
  LeaseExpired: "A deadline was enforced",
  EquivocationProven: "The node signed two results and lost stake",
};

function detailOf({ name, values }: TimelineEvent, token: Token): string | undefined {
  const money = (key: string) => formatMoney(values[key] as bigint, token);
  switch (name) {
    case "Reserved":
      return `${money("amount")} reserved`;
    case "Released":
      return `${money("amount")} released to you`;
    case "Paid":
      return `${money("gross")} for ${formatSeconds(Number(values.billedSeconds))}, ${money("fee")} of it the market's fee`;
    case "StakeLocked":
      return `${money("amount")} of the node's stake locked`;
    case "StakeUnlocked":
      return `${money("amount")} of the node's stake unlocked`;
    case "CheckpointClaimed":
      return `Step ${values.step}`;
    case "LeaseCompleted": {
      const { outcome, exitCode } = values.attestation as { outcome: number; exitCode: number };
      return `${endingOf(outcome, exitCode)}, ${formatSeconds(Number(values.billedSeconds))} to be paid`;
    }
    default:
      return undefined;
  }
}

/** `NodeRevoked` -> `Node revoked`. */
function spaced(name: string): string {
  const words = name.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}
