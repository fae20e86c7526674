import type { TaskDetail, TimelineEvent } from "@dekuper/client";
import { formatSeconds, leaseStatuses } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { shortHex } from "../../ui/address.tsx";
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
export function stepsOf(
  { timeline, leases }: Pick<TaskDetail, "timeline" | "leases">,
  token: Token,
): TimelineStep[] {
  const byHash = Map.groupBy(timeline, (event) => event.hash);
  const of = (member: number | undefined, text: string) =>
    member === undefined || leases.length === 1 ? text : `Member ${member}: ${text}`;
  return [...byHash.values()].flatMap((events) => {
    const titled = Object.keys(TITLES).find((name) => events.some((event) => event.name === name));
    const main = events.find((event) => event.name === titled) ?? events[0];
    if (main === undefined) return [];
    const { hash, block, time, from, gasUsed } = main;
    const isAward = main.name === "TaskCreated" && events.some(({ name }) => name === "LeaseAssigned");
    const title = isAward ? "Ordered, and nodes assigned" : (TITLES[main.name] ?? spaced(main.name));
    const details = events.flatMap((event) => {
      const detail = detailOf(event, token);
      return detail === undefined ? [] : of(event.member, detail);
    });
    return {
      hash,
      block,
      time,
      from,
      gasUsed,
      title: of(main.member, title),
      details: [...new Set(details)],
    };
  });
}

/** What a transaction did, the most telling event first. */
const TITLES: Readonly<Record<string, string>> = {
  TaskCreated: "Ordered",
  TaskToppedUp: "Funded for longer",
  GangStopped: "A member was lost, the others wait",
  GangStarted: "Every member runs",
  EquivocationProven: "The node signed two results and lost stake",
  LeaseReopened: "Lost by its node, open to others",
  LeaseFailed: "Given up by the node",
  LeaseEnded: "Ended",
  LeaseAssigned: "Accepted by a node",
  LeaseStarted: "Started",
  LeaseCompleted: "Run ended, result signed",
  LeaseSettled: "Paid",
  LeaseStopping: "Stopped",
  CheckpointClaimed: "Progress claimed",
  KeyGranted: "Key handed over",
};

const ENDS: Readonly<Record<string, string>> = {
  Cancelled: "Cancelled",
  Failed: "Lost, and not taken over",
  Expired: "A deadline passed",
};

function detailOf({ name, values }: TimelineEvent, token: Token): string | undefined {
  const money = (key: string) => formatMoney(values[key] as bigint, token);
  switch (name) {
    case "Reserved":
      return `${money("amount")} reserved`;
    case "Released":
      return `${money("amount")} released to you`;
    case "Paid": {
      const down = Number(values.downSeconds);
      const billed = formatSeconds(Number(values.ranSeconds) - down);
      const offline = down === 0 ? "" : ` (${formatSeconds(down)} offline are not paid)`;
      return `${money("gross")} for ${billed}${offline}, ${money("fee")} of it the market's fee`;
    }
    case "StakeLocked":
      return `${money("amount")} of the node's stake locked`;
    case "StakeUnlocked":
      return `${money("amount")} of the node's stake unlocked`;
    case "LeaseAssigned": {
      const again = Number(values.attempt) > 1 ? `, attempt ${values.attempt}` : "";
      return `Assigned to ${shortHex(values.node as Hex)}${again}`;
    }
    case "LeaseReopened":
      return Number(values.step) === 0 ? "Begins anew elsewhere" : `Goes on from step ${values.step}`;
    case "LeaseEnded":
      return ENDS[leaseStatuses[Number(values.to)] ?? ""];
    case "WaitingPaid":
      return `${money("amount")} paid out of its stake to a member that waited`;
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
