/** Builders: gangs of two or three, some of whose members wait or are lost. */
import { DOLLAR, digest, type Market, nextBlockAt, now, people, type TaskRef } from "./market.ts";
import { first, member, runningGang, second, third } from "./providers.ts";

const { stranger } = people;
export const RATE = 36n * DOLLAR;
export const CENT = DOLLAR / 100n; // a second's pay; waiting earns half of it
export const order = { ratePerHour: RATE };
export const two = [first, second];
export const three = [first, second, third];

export const as = (market: Market, by: typeof first) => market.tasks.connect(by.operator);
export const earned = (market: Market, by: typeof first) => market.escrow.earningsOf(by.owner.address);
export const stakeOf = async (market: Market, by: typeof first) =>
  (await market.nodes.stakeOf(by.operator.address)).slice(0, 2);
export const complete = (market: Market, task: TaskRef, index: number, by: typeof first, changes = {}) =>
  market.complete(member(task, index), changes, stranger, by.operator);
export const leaseOf = (market: Market, task: TaskRef, index: number) =>
  market.tasks.getLease(member(task, index).leaseId);
export const fail = (market: Market, task: TaskRef, index: number, by: typeof first, attempt = 1) =>
  as(market, by).failLease(member(task, index).leaseId, attempt, digest("lost"));

/** Three members of which the first has started at `assigned + 100`, the second at `assigned + 200`, the third not. */
export async function waiting(market: Market, changes = {}): Promise<{ task: TaskRef; assigned: bigint }> {
  const task = await market.award(
    { ...order, ...changes },
    three.map(({ operator }) => operator),
  );
  const assigned = await now();
  await nextBlockAt(assigned + 100n);
  await as(market, first).startLease(member(task, 0).leaseId, 1);
  await nextBlockAt(assigned + 200n);
  await as(market, second).startLease(member(task, 1).leaseId, 1);
  return { task, assigned };
}

/** Three members that ran together for 300 seconds, of which the third is lost then. */
export async function lostOne(market: Market, changes = {}) {
  const { task, clockStart } = await runningGang(market, three, { ...order, ...changes });
  await nextBlockAt(clockStart + 300n);
  await fail(market, task, 2, third);
  return { task, clockStart, lostAt: clockStart + 300n };
}
