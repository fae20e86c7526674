import type { Address, Hex } from "viem";
import { type Balances, noBalances } from "./balances.ts";
import { isSame, openLedger, type StatementLine } from "./ledger.ts";
import { byPlace, type Movement, type Place } from "./movement.ts";

/** A block, or a chain time in Unix seconds. */
export type Moment = { readonly block: bigint } | { readonly time: bigint };

/** From and to, both included; open where undefined. */
export interface Period {
  readonly from?: Moment | undefined;
  readonly to?: Moment | undefined;
}

/** What a period's lines come to, by reason. Base units. */
export interface StatementTotals {
  readonly deposited: bigint;
  readonly withdrawn: bigint;
  /** Free balance from other accounts, and to others. */
  readonly received: bigint;
  readonly given: bigint;
  /** Gross pay for the account's own tasks. */
  readonly paid: bigint;
  /** Net of the fee. */
  readonly earned: bigint;
  /** Fees in what was paid, and fees off what was earned; of one's own task on one's own node, once. */
  readonly fees: bigint;
  readonly compensationReceived: bigint;
  readonly compensationPaid: bigint;
  /** Put at risk with delivery claims, and what of it came back. */
  readonly bondsPosted: bigint;
  readonly bondsReturned: bigint;
  /** Bonds of others whose claims were answered. */
  readonly bondsWon: bigint;
  readonly earningsWithdrawn: bigint;
  readonly slashed: bigint;
  readonly rewards: bigint;
}

/** An account's movements in a period, each with what it changed and the balances after it. */
export interface Statement {
  readonly account: Address;
  readonly period: Period;
  /** Before the first line of the period. */
  readonly opening: Balances;
  /** Oldest first. */
  readonly lines: readonly StatementLine[];
  /** After the last line of the period. */
  readonly closing: Balances;
  readonly totals: StatementTotals;
  /** After every movement, those behind the period too: what the chain must say of the account now. */
  readonly now: Balances;
  /** What is left of live tasks' reservations. */
  readonly reservations: ReadonlyMap<Hex, bigint>;
  /** The account's nodes and their stake. */
  readonly stakes: ReadonlyMap<Address, bigint>;
  /** Lines that do not recompute, those outside the period too. */
  readonly faulty: readonly StatementLine[];
}

/**
 * The account's statement from the escrow's movements alone. Pure. They must begin with the account's first one; movements
 * of others among them do no harm, nor does their order.
 */
export function makeStatement(
  account: Address,
  movements: readonly Movement[],
  period: Period = {},
): Statement {
  const ledger = openLedger(account);
  const all = [...movements].sort(byPlace).flatMap((movement) => ledger.enter(movement) ?? []);
  const before = all.filter(({ movement }) => isBefore(movement, period.from));
  const lines = all.filter(
    ({ movement }) => !isBefore(movement, period.from) && !isAfter(movement, period.to),
  );
  const opening = before.at(-1)?.balance ?? noBalances;
  return {
    account,
    period,
    opening,
    lines,
    closing: lines.at(-1)?.balance ?? opening,
    totals: totalsOf(lines, account),
    now: ledger.balances,
    reservations: ledger.reservations,
    stakes: ledger.stakes,
    faulty: all.filter(({ faults }) => faults.length > 0),
  };
}

function isBefore(place: Place, moment: Moment | undefined): boolean {
  if (moment === undefined) return false;
  return "block" in moment ? place.block < moment.block : place.time < moment.time;
}

function isAfter(place: Place, moment: Moment | undefined): boolean {
  if (moment === undefined) return false;
  return "block" in moment ? place.block > moment.block : place.time > moment.time;
}

function totalsOf(lines: readonly StatementLine[], account: Address): StatementTotals {
  const sum = (amountOf: (line: StatementLine) => bigint) =>
    lines.reduce((total, line) => total + amountOf(line), 0n);
  const of = (kind: Movement["kind"], amountOf: (line: StatementLine) => bigint) =>
    sum((line) => (line.movement.kind === kind ? amountOf(line) : 0n));
  return {
    deposited: of("Deposited", ({ change }) => change.free),
    withdrawn: of("Withdrawn", ({ change }) => -change.free),
    received: of("Transferred", ({ change }) => positive(change.free)),
    given: of("Transferred", ({ change }) => positive(-change.free)),
    paid: of("Paid", ({ change }) => -change.reserved),
    earned: of("Paid", ({ change }) => change.earnings),
    fees: sum(({ movement }) => (movement.kind === "Paid" ? movement.fee : 0n)),
    compensationReceived: of("Compensated", ({ change }) => change.earnings),
    compensationPaid: of("Compensated", ({ change }) => -change.stake),
    bondsPosted: of("BondPosted", ({ change }) => -change.free),
    bondsReturned: of("BondReturned", ({ change }) => change.free),
    bondsWon: of("BondAwarded", ({ change }) => change.earnings),
    earningsWithdrawn: of("EarningsWithdrawn", ({ change }) => -change.earnings),
    slashed: of("StakeForfeited", ({ change }) => -change.stake),
    rewards: sum(({ movement }) =>
      movement.kind === "StakeForfeited" && isSame(movement.reporter, account) ? movement.reward : 0n,
    ),
  };
}

function positive(amount: bigint): bigint {
  return amount > 0n ? amount : 0n;
}
