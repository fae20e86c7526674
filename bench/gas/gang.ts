import type { HDNodeWallet } from "ethers";
import { addNode, attesters } from "../../test/contracts/committee.ts";
import {
  busyLocalMarket,
  digest,
  type LeaseRef,
  type Market,
  nextBlockAt,
  now,
  people,
} from "../../test/contracts/market.ts";
import { gasUsed, sum } from "./gas-used.ts";

export const MEMBERS = 64;

export interface Gang {
  readonly createAndAward: number;
  readonly startMost: number;
  /** The gang's clock starts with it. */
  readonly startLast: number;
  readonly complete: number;
  readonly approve: number;
  readonly life: number;
  readonly perLease: number;
  readonly loss: Loss;
}

/** One member lost, and replaced while 63 others wait on paid standby. */
export interface Loss {
  readonly failLease: number;
  readonly takeOver: number;
  /** The clock goes on, and the others' standby is paid. */
  readonly startReplacement: number;
}

interface Started {
  readonly leases: readonly LeaseRef[];
  readonly createAndAward: number;
  readonly starts: readonly number[];
}

/** Two gangs of 64 on the same nodes: the first has a loss, the second is the life that a later gang has. */
export async function measureGang(): Promise<Gang> {
  const market = await busyLocalMarket();
  const providers = attesters(MEMBERS + 1, 200);
  for (const provider of providers) await addNode(market, provider);
  const all = providers.map(({ operator }) => operator);
  const operators = all.slice(0, MEMBERS);
  const [lost, spare] = [all[0], all[MEMBERS]];
  if (lost === undefined || spare === undefined) throw new Error("a gang has members");

  const first = await started(market, operators);
  const loss = await replaced(market, first.leases, lost, spare);
  await ended(market, first.leases, [spare, ...operators.slice(1)]);

  const { leases, createAndAward, starts } = await started(market, operators);
  const { completes, approvals } = await ended(market, leases, operators);
  const life = createAndAward + sum(starts) + sum(completes) + sum(approvals);
  return {
    createAndAward,
    startMost: Math.round(sum(starts.slice(0, -1)) / (MEMBERS - 1)),
    startLast: starts.at(-1) ?? Number.NaN,
    complete: Math.round(sum(completes) / MEMBERS),
    approve: Math.round(sum(approvals) / MEMBERS),
    life,
    perLease: Math.round(life / MEMBERS),
    loss,
  };
}

async function started(market: Market, operators: readonly HDNodeWallet[]): Promise<Started> {
  const small = { gpus: 0, vCpus: 1, memoryMiB: 1024n };
  const order = await market.order({ leases: operators.length, maxAttempts: 2, ...small });
  const { quotes, signatures } = await market.offers(order, operators);
  const taskId = await market.nextTaskId(order, people.consumer.address);
  const asConsumer = market.tasks.connect(people.consumer);
  const createAndAward = await gasUsed(asConsumer.createAndAward(order, quotes, signatures, []));
  const leases: LeaseRef[] = [];
  const starts: number[] = [];
  for (const [index, operator] of operators.entries()) {
    const leaseId = await market.tasks.leaseIdOf(taskId, index);
    leases.push({ taskId, leaseId });
    starts.push(await gasUsed(market.tasks.connect(operator).startLease(leaseId, 1)));
  }
  await nextBlockAt((await now()) + 60n);
  return { leases, createAndAward, starts };
}

async function replaced(
  market: Market,
  [lease]: readonly LeaseRef[],
  lost: HDNodeWallet,
  spare: HDNodeWallet,
): Promise<Loss> {
  const leaseId = lease?.leaseId ?? "";
  const failLease = await gasUsed(market.tasks.connect(lost).failLease(leaseId, 1, digest("lost")));
  const earned = await earnings(market);
  const takeOver = await gasUsed(market.tasks.connect(spare).takeOver(leaseId));
  await nextBlockAt((await now()) + 30n);
  const startReplacement = await gasUsed(market.tasks.connect(spare).startLease(leaseId, 2));
  if ((await earnings(market)) <= earned) throw new Error("nobody was paid for the standby");
  await nextBlockAt((await now()) + 60n);
  return { failLease, takeOver, startReplacement };
}

const earnings = async (market: Market) => (await market.escrow.totals()).earnings;

async function ended(market: Market, leases: readonly LeaseRef[], operators: readonly HDNodeWallet[]) {
  const completes: number[] = [];
  const approvals: number[] = [];
  for (const [index, lease] of leases.entries()) {
    completes.push(await gasUsed(market.complete(lease, {}, operators[index], operators[index])));
  }
  const asConsumer = market.tasks.connect(people.consumer);
  for (const { leaseId } of leases) approvals.push(await gasUsed(asConsumer.approve(leaseId)));
  return { completes, approvals };
}
