/** Builders: several providers, and a committee that says who is offline. */
import { type Attester, addNode, attesters, seat, send } from "./committee.ts";
import {
  busyLocalMarket,
  busyProductionMarket,
  type LeaseRef,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  type TaskRef,
} from "./market.ts";

/** The committee of `marketWithCommittee`: four seats, three of which are a quorum. */
export const committee = attesters(4);

/** Providers with owners of their own, each with a node of 8 GPUs and 1000 dollars of stake. */
export const providers = attesters(4, 10);
export const [first, second, third, fourth] = providers as [Attester, Attester, Attester, Attester];

async function withProviders(fixture: () => Promise<Market>): Promise<Market> {
  const market = await fixture();
  for (const provider of providers) await addNode(market, provider);
  await networkHelpers.time.increase(BigInt(market.terms.ticketAge) + 1n);
  return market;
}

/** The local market with four providers, and production's, which has an outage grace. */
export const marketWithProviders = () => withProviders(busyLocalMarket);
export const productionWithProviders = () => withProviders(busyProductionMarket);

/** The same with a committee in office. */
export async function marketWithCommittee(): Promise<Market> {
  const market = await marketWithProviders();
  await seat(market, committee);
  return market;
}

/** The committee reports a node as offline; pending until `final`. */
export async function report(market: Market, node: string): Promise<{ since: bigint; final: bigint }> {
  await networkHelpers.mine(); // what the node did in the last block is not older than a report of that block
  await send(market, committee, { offline: [node] });
  const since = await now();
  return { since, final: since + BigInt(market.parameters.liveness.initial.reportGrace) + 1n };
}

/** The node is offline for `seconds` from the report's block, which is returned; the last block is at the end of them. */
export async function offlineFor(market: Market, node: string, seconds: bigint): Promise<bigint> {
  const { since } = await report(market, node);
  await networkHelpers.time.increaseTo(since + seconds);
  return since;
}

/** Starts the leases, one provider each, in the blocks after `now`. */
export async function startAll(market: Market, task: TaskRef, by: readonly Attester[]): Promise<void> {
  for (const [index, leaseId] of task.leaseIds.entries()) {
    const provider = by[index] as Attester;
    await market.tasks.connect(provider.operator).startLease(leaseId, 1);
  }
}

/** A gang of one lease for each of these providers, all started; returns when its clock started. */
export async function runningGang(
  market: Market,
  by: readonly Attester[],
  changes: Parameters<Market["award"]>[0] = {},
): Promise<{ task: TaskRef; clockStart: bigint }> {
  const task = await market.award(
    { maxAttempts: 3, ...changes },
    by.map(({ operator }) => operator),
  );
  await startAll(market, task, by);
  return { task, clockStart: await now() };
}

export const member = (task: TaskRef, index: number): LeaseRef => ({
  taskId: task.taskId,
  leaseId: task.leaseIds[index] as string,
});

/** What the market owes to everybody in all: nothing may appear or vanish but by deposits and withdrawals. */
export async function everything(market: Market): Promise<bigint> {
  const { free, reserved, earnings, fees, stake, forfeited } = await market.escrow.totals();
  return free + reserved + earnings + fees + stake + forfeited + (await market.escrow.totalBonds());
}

/** Runs `story` and checks that every token that was there is still somebody's, and that the balance covers it. */
export async function conserving<T>(market: Market, story: () => Promise<T>): Promise<T> {
  const before = await everything(market);
  const result = await story();
  const after = await everything(market);
  if (after !== before) throw new Error(`${before} base units became ${after}`);
  const balance = await market.token.balanceOf(await market.escrow.getAddress());
  if (balance < after) throw new Error(`The escrow holds ${balance} and owes ${after}`);
  return result;
}

/** The next block is `seconds` after the last. */
export async function after(seconds: bigint): Promise<bigint> {
  const timestamp = (await now()) + seconds;
  await nextBlockAt(timestamp);
  return timestamp;
}
