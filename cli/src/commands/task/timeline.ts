import type { TaskDetail, TimelineEvent } from "@dekuper/client";
import { outcomes } from "@dekuper/protocol";
import { type Hex, hexToString } from "viem";
import {
  formatCount,
  formatSeconds,
  formatTime,
  plural,
  shortAddress,
  shortId,
} from "../../output/format.ts";
import { printTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";

/** A terminal narrower than this gets times of day and short hashes. */
const WIDE = 140;

/** Everything that happened to a task, oldest first. */
export function printTimeline(
  out: Terminal,
  { timeline, leases }: TaskDetail,
  amount: (value: bigint) => string,
): void {
  const isNarrow = out.columns !== undefined && out.columns < WIDE;
  const isGang = leases.length > 1;
  const memberOf = (leaseId: unknown) => leases.find((lease) => lease.leaseId === leaseId)?.index;
  printTable(
    out,
    [
      { title: "TIME" },
      ...(isGang ? [{ title: "MEMBER", right: true }] : []),
      { title: "EVENT" },
      { title: "" },
      { title: "BLOCK", right: true, spare: 3 },
      { title: "GAS", right: true, spare: 1 },
      { title: "TRANSACTION", spare: 2 },
    ],
    timeline.map((event, index) => {
      // The gas is the transaction's: it stands once, at its first event.
      const first = timeline.findIndex(({ hash }) => hash === event.hash) === index;
      const time = formatTime(event.time);
      return [
        isNarrow ? time.slice(11) : time,
        ...(isGang ? [event.member === undefined ? "" : String(event.member)] : []),
        event.name,
        describe(event, amount, memberOf),
        String(event.block),
        first ? formatCount(event.gasUsed) : "",
        first ? (isNarrow ? shortId(event.hash) : event.hash) : out.dim('  "'),
      ];
    }),
  );
}

/** What decided, in a few words. */
function describe(
  { name, values }: TimelineEvent,
  amount: (value: bigint) => string,
  memberOf: (leaseId: unknown) => number | undefined,
): string {
  switch (name) {
    case "Reserved":
    case "Released":
    case "StakeLocked":
    case "StakeUnlocked":
    case "Compensated":
    case "TaskToppedUp":
    case "BondPosted":
    case "BondReturned":
    case "BondAwarded":
      return amount(values.amount as bigint);
    case "Paid": {
      const down = Number(values.downSeconds);
      const ran = plural(Number(values.ranSeconds), "second");
      return `${amount(values.gross as bigint)} for ${ran}${down === 0 ? "" : ` less ${formatSeconds(down)} offline`}`;
    }
    case "LeaseAssigned": {
      const again = Number(values.attempt) > 1 ? `, attempt ${values.attempt}` : "";
      return `to ${shortAddress(String(values.node))}${again}`;
    }
    case "KeyGranted":
      return `to ${shortAddress(String(values.node))}`;
    case "CheckpointClaimed":
      return `step ${values.step}`;
    case "LeaseCompleted":
      return outcomes[(values.attestation as { outcome: number }).outcome] ?? "";
    case "UndeliveredClaimed":
      return `answered by ${formatTime(values.answerUntil as bigint)}`;
    case "DeliveryJudged":
      return values.delivered === true ? "it was delivered" : "it could not be fetched";
    case "ClaimLapsed":
      return "without a verdict";
    case "ResultRevealed":
      return `${outcomes[(values.attestation as { outcome: number }).outcome] ?? ""}, ${values.alike} alike`;
    case "ResultsTallied": {
      const agreed = BigInt(values.winner as Hex) === 0n ? "too few alike" : "enough alike";
      return `${values.revealed} of ${values.committed} open, ${agreed}`;
    }
    case "NotRevealed":
      return `${amount(values.slashed as bigint)} slashed`;
    case "LeaseFailed":
      return hexToString(values.reason as Hex, { size: 32 });
    case "AttemptLost":
      return `by ${shortAddress(String(values.node))}`;
    case "LeaseReopened":
      return Number(values.step) === 0 ? "from the beginning" : `from step ${values.step}`;
    case "GangStopped":
      return `member ${memberOf(values.lostLease) ?? "?"} was lost`;
    case "WaitingPaid":
      return `${amount(values.amount as bigint)} to member ${memberOf(values.waitingLease) ?? "?"}`;
    case "EquivocationProven":
      return `${amount(values.slashed as bigint)} slashed`;
    default:
      return "";
  }
}
