import { type LeaseRef, type Market, nextBlockAt, now, people } from "../../test/contracts/market.ts";
import { first, marketWithProviders } from "../../test/contracts/providers.ts";
import { gasUsed } from "./gas-used.ts";

export type Steps = Record<string, number>;

export interface Lives {
  /** The consumer sends one transaction before the result. */
  readonly quoted: Steps;
  /** Nodes draw tickets for an order that the consumer left open. */
  readonly open: Steps;
  /** What an ending without the consumer's word costs in place of `approve`. */
  readonly settle: number;
  /** A claim within the lease, as often as the provider likes; none is needed. */
  readonly checkpoint: number;
}

/** One lease's life on either path. The second of each is taken: the first pays for fresh storage of its accounts. */
export async function measureLives(): Promise<Lives> {
  const market = await marketWithProviders();
  await quotedLife(market);
  const quoted = await quotedLife(market);
  await openLife(market);
  const open = await openLife(market);
  return { quoted, open, settle: await settlement(market), checkpoint: await checkpoint(market) };
}

async function quotedLife(market: Market): Promise<Steps> {
  const order = await market.order();
  const { quotes, signatures } = await market.offers(order, [first.operator]);
  const ref = await refOf(market, order);
  const createAndAward = await gasUsed(
    market.tasks.connect(people.consumer).createAndAward(order, quotes, signatures, []),
  );
  return { createAndAward, ...(await fromStart(market, ref)) };
}

async function openLife(market: Market): Promise<Steps> {
  const order = await market.order();
  const ref = await refOf(market, order);
  const createTask = await gasUsed(market.tasks.connect(people.consumer).createTask(order));
  const acceptTask = await gasUsed(market.tasks.connect(first.operator).acceptTask(ref.taskId));
  return { createTask, acceptTask, ...(await fromStart(market, ref)) };
}

async function refOf(market: Market, order: Awaited<ReturnType<Market["order"]>>): Promise<LeaseRef> {
  const taskId = await market.nextTaskId(order, people.consumer.address);
  return { taskId, leaseId: await market.tasks.leaseIdOf(taskId, 0) };
}

async function fromStart(market: Market, ref: LeaseRef): Promise<Steps> {
  const startLease = await gasUsed(market.tasks.connect(first.operator).startLease(ref.leaseId, 1));
  const completeLease = await completed(market, ref);
  const approve = await gasUsed(market.tasks.connect(people.consumer).approve(ref.leaseId));
  return { startLease, completeLease, approve };
}

/** A minute of work, then the node's own claim. */
async function completed(market: Market, ref: LeaseRef): Promise<number> {
  await nextBlockAt((await now()) + 60n);
  return gasUsed(market.complete(ref, {}, first.operator, first.operator));
}

async function running(market: Market): Promise<LeaseRef> {
  const ref = await market.award({}, [first.operator]);
  await market.tasks.connect(first.operator).startLease(ref.leaseId, 1);
  return ref;
}

async function settlement(market: Market): Promise<number> {
  const ref = await running(market);
  await completed(market, ref);
  await nextBlockAt((await market.tasks.getLease(ref.leaseId)).deadline + 1n);
  return gasUsed(market.tasks.connect(first.operator).settle(ref.leaseId));
}

async function checkpoint(market: Market): Promise<number> {
  const ref = await running(market);
  await nextBlockAt((await now()) + 60n);
  const claim = market.tasks.connect(first.operator).checkpoint(ref.leaseId, 1, 1, ref.taskId);
  return gasUsed(claim);
}
