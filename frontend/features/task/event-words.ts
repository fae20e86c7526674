import { failureWords, type TimelineEvent } from "@dekuper/client";
import { formatSeconds, leaseStatuses } from "@dekuper/protocol";
import { type Hex, hexToString } from "viem";
import { formatMoney, type Token } from "../../ui/money.ts";
import { shortHex } from "../../ui/short-hex.ts";
import { endingOf } from "./states.ts";

export interface EventWriter {
  readonly token: Token;
  /** Which member a lease is. */
  readonly memberOf: (leaseId: unknown) => number | undefined;
  /** The task has one lease: members are not spoken of. */
  readonly isAlone: boolean;
}

type Events = readonly [TimelineEvent, ...TimelineEvent[]];
type Title = string | ((event: TimelineEvent, has: (name: string) => boolean) => string);

/** What a transaction did in a few words, and the event that says so: the most telling comes first here. */
const TITLES: Readonly<Record<string, Title>> = {
  TaskCreated: (_, has) => (has("LeaseAssigned") ? "Ordered and assigned" : "Ordered"),
  TaskToppedUp: "Funded for longer",
  GangStopped: "A member was lost, the others wait",
  GangStarted: "Every member runs",
  EquivocationProven: "The node signed two results and lost stake",
  NotRevealed: "A sealed result was not opened",
  ResultsTallied: "Results compared",
  UndeliveredClaimed: "Delivery disputed",
  DeliveryJudged: ({ values }) => (values.delivered ? "Found delivered" : "Found not delivered"),
  ClaimLapsed: "Dispute ended without a verdict",
  LeaseReopened: (_, has) =>
    has("LeaseFailed") ? "Given up by its node, open to others" : "Lost by its node, open to others",
  LeaseFailed: "Given up by its node",
  LeaseAssigned: ({ values }) =>
    Number(values.attempt) > 1 ? "Taken over by another node" : "Accepted by a node",
  LeaseEnded: ({ values }) => endOf(values) ?? "Ended",
  LeaseStarted: "Started",
  RevealOpened: "Every result is sealed, they may be opened",
  ResultCommitted: "Run ended, result sealed",
  ResultRevealed: "Result opened",
  LeaseCompleted: "Run ended, result signed",
  LeaseSettled: "Paid",
  LeaseStopping: "Stopped",
  CheckpointClaimed: "Progress claimed",
  KeyGranted: "Key handed over",
};

export function titleOf(events: readonly TimelineEvent[]): { main: TimelineEvent; title: string } {
  const [first] = events as Events;
  const has = (name: string) => events.some((event) => event.name === name);
  const name = Object.keys(TITLES).find(has);
  const main = events.find((event) => event.name === name) ?? first;
  const title = TITLES[main.name];
  return { main, title: typeof title === "function" ? title(main, has) : (title ?? spaced(main.name)) };
}

const ENDS: Readonly<Record<string, string>> = {
  Cancelled: "Cancelled",
  Failed: "Lost, and not taken over",
  Expired: "A deadline passed",
};

function endOf(values: TimelineEvent["values"]): string | undefined {
  return ENDS[leaseStatuses[Number(values.to)] ?? ""];
}

/** What an event adds to its transaction's title; undefined: nothing that people need. */
export function detailOf(
  { name, values }: TimelineEvent,
  { token, memberOf }: EventWriter,
): string | undefined {
  const money = (key: string) => formatMoney(values[key] as bigint, token);
  const seconds = (key: string) => formatSeconds(Number(values[key] as bigint));
  const member = (key: string) => `member ${memberOf(values[key]) ?? "?"}`;
  switch (name) {
    case "Reserved":
      return `${money("amount")} reserved`;
    case "Released":
      return `${money("amount")} released to you`;
    case "Paid":
      return `${money("gross")} for ${paidFor(values, token)}`;
    case "StakeLocked":
      return `${money("amount")} of the node's stake locked`;
    case "StakeUnlocked":
      return `${money("amount")} of the node's stake unlocked`;
    case "KeyGranted":
      return `Key handed to ${shortHex(values.node as Hex)}`;
    case "LeaseAssigned": {
      const again = Number(values.attempt) > 1 ? `, attempt ${values.attempt}` : "";
      return `Assigned to ${shortHex(values.node as Hex)}${again}`;
    }
    case "LeaseFailed":
      return sentence(failureWords(hexToString(values.reason as Hex, { size: 32 })));
    case "AttemptLost":
      return (values.gross as bigint) === 0n
        ? `Attempt ${values.attempt} is not paid`
        : `Attempt ${values.attempt} is paid to its last claim`;
    case "LeaseReopened":
      return Number(values.step) === 0 ? "Begins anew elsewhere" : `Goes on from step ${values.step}`;
    case "LeaseEnded":
      return endOf(values);
    case "GangStopped":
      return `Lost: ${member("lostLease")}. The clock stands for all`;
    case "WaitingPaid":
      return `${money("amount")} out of its stake to ${member("waitingLease")}, which waited`;
    case "PeerLossRecorded":
      return "Ended because another member was lost";
    case "CheckpointClaimed":
      return `Step ${values.step}`;
    case "LeaseCompleted": {
      const { outcome, exitCode } = values.attestation as { outcome: number; exitCode: number };
      const down = values.downSeconds === 0n ? "" : `, ${seconds("downSeconds")} offline are not`;
      return `${endingOf(outcome, exitCode)}, ${seconds("billedSeconds")} to be paid${down}`;
    }
    case "ResultRevealed":
      return Number(values.alike) < 2 ? "The first of its kind" : `Like ${Number(values.alike) - 1} other`;
    case "ReplicaAgreed":
      return `Agrees with the majority, ${seconds("billedSeconds")} to be paid`;
    case "NotRevealed":
      return `${money("slashed")} of its stake lost`;
    case "BondPosted":
      return `${money("amount")} put down with the claim`;
    case "BondReturned":
      return `${money("amount")} put down are back with you`;
    case "BondAwarded":
      return `${money("amount")} put down go to the node`;
    default:
      return undefined;
  }
}

/** What a payment is made of: `4m 50s at 15.00 dUSD an hour; 10s offline are not paid`, and the fee where there is one. */
export function paidFor(values: TimelineEvent["values"], token: Token): string {
  const money = (key: string) => formatMoney(values[key] as bigint, token);
  const down = values.downSeconds as bigint;
  const billed = formatSeconds(Number((values.ranSeconds as bigint) - down));
  const offline = down === 0n ? "" : `; ${formatSeconds(Number(down))} offline are not paid`;
  const fee = values.fee === 0n ? "" : `; ${money("fee")} of it is the market's fee`;
  return `${billed} at ${money("ratePerHour")} an hour${offline}${fee}`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** `NodeRevoked` -> `Node revoked`. */
function spaced(name: string): string {
  return sentence(name.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase());
}
