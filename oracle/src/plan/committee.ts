import { byAddress } from "@dekuper/protocol";
import type { Address } from "viem";
import type { Committee, LivenessRules } from "../chain/liveness.ts";
import type { Hearing } from "./liveness.ts";
import type { Seconds } from "./plan.ts";

/** How long one member has the word, seconds: a report with two rounds of questions fits in. */
export const TURN_SECONDS = 8;
/** From so many seats on, one empty report costs less than everybody's own sign. */
const EMPTY_REPORT_FROM = 4;
/** Nobody heard for so long: a break. Shorter than any silence that is reported. */
const BREAK_MS = 10_000;

/** Signatures that a report needs. */
export function quorumOf({ seats }: Pick<Committee, "seats">, { minSeats }: Pick<LivenessRules, "minSeats">) {
  return Math.floor((2 * Math.max(seats.length, minSeats)) / 3) + 1;
}

/** Whose turn it is among the members, from the chain's clock: all count alike, and one that is dead loses its own turn only. */
export function isTurnOf(node: Address, members: readonly Address[], now: Seconds): boolean {
  const turn = Math.floor(now / TURN_SECONDS);
  return members.toSorted(byAddress)[turn % members.length] === node;
}

/** The turn's number, so that what belongs to one turn is done once. */
export const turnAt = (now: Seconds): number => Math.floor(now / TURN_SECONDS);

/**
 * How a seat shows itself so that it is not vacated: not yet, by an empty report that shows all who sign it, or, towards
 * the end of the epoch, by its own transaction. It begins an epoch before it must.
 */
export function planShowing(
  { epoch, epochEndsAt, seats }: Committee,
  seenIn: number,
  { epochLength, maxMissed }: Pick<LivenessRules, "epochLength" | "maxMissed">,
  now: Seconds,
): "none" | "emptyReport" | "checkIn" {
  if (epoch - seenIn < Math.max(1, maxMissed - 1)) return "none";
  const isLate = now > epochEndsAt - epochLength / 4;
  return isLate || seats.length < EMPTY_REPORT_FROM ? "checkIn" : "emptyReport";
}

/**
 * Since when this node has heard others without a break. It is cut off, and has seen nothing, while it hears nobody; a seat
 * also while it hears, itself included, less than a quorum of the seats: it is on the smaller side of a partition, where
 * everybody else looks dead. A process that stood still has not listened either.
 */
export class HearingWatch {
  private since: number | undefined;
  private lookedAt: number | undefined;

  /** `others`: when each other node was last heard, Unix milliseconds. `seats`: none where this node has no seat. */
  look(
    now: number,
    others: ReadonlyMap<Address, number>,
    seats: { readonly others: readonly Address[]; readonly quorum: number } | undefined,
  ): Hearing {
    const hears = (at: number | undefined) => at !== undefined && now - at <= BREAK_MS;
    const stoodStill = this.lookedAt !== undefined && now - this.lookedAt > BREAK_MS;
    this.lookedAt = now;
    const hearsSomebody = [...others.values()].some(hears);
    const heardSeats = seats?.others.filter((seat) => hears(others.get(seat))).length ?? 0;
    const hearsSeats = seats === undefined || heardSeats + 1 >= seats.quorum;
    if (!hearsSomebody || !hearsSeats) this.since = undefined;
    else if (this.since === undefined || stoodStill) this.since = now;
    return { now, since: this.since };
  }
}
