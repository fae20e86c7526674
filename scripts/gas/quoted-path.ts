/** Gas of the quoted path: one lease's life, a loss with its replacement, and a gang of 64 on 64 nodes. */
import { type Attester, addNode, attesters } from "../../test/contracts/committee.ts";
import {
  busyLocalMarket,
  digest,
  type Market,
  nextBlockAt,
  now,
  people,
} from "../../test/contracts/market.ts";
import { first, marketWithProviders, second } from "../../test/contracts/providers.ts";

type Sent = Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>;
export type Step = (name: string, transaction: Sent) => Promise<void>;

const { consumer, stranger } = people;

async function award(market: Market, by: readonly Attester[], changes: Parameters<Market["order"]>[0]) {
  const operators = by.map(({ operator }) => operator);
  const order = await market.order({ leases: by.length, ...changes });
  const { quotes, signatures } = await market.offers(order, operators);
  const wraps = order.isPrivate
    ? await Promise.all(
        operators.map(({ address }) => market.wrap(address, { wrap: `0x${"a5".repeat(200)}` })),
      )
    : [];
  const taskId = await market.nextTaskId(order, consumer.address);
  const leaseIds = await Promise.all(by.map((_, index) => market.tasks.leaseIdOf(taskId, index)));
  const sent = market.tasks.connect(consumer).createAndAward(order, quotes, signatures, wraps);
  return { taskId, leaseIds, leaseId: leaseIds[0] as string, sent };
}

async function oneLease(step: Step): Promise<void> {
  const market = await marketWithProviders();
  const { tasks } = market;
  const asFirst = tasks.connect(first.operator);
  // The second is what every later one costs.
  for (const prefix of ["first ", ""]) {
    const task = await award(market, [first], { fundedSeconds: 1800 });
    await step(`${prefix}createAndAward`, task.sent);
    await asFirst.startLease(task.leaseId, 1);
    await step(`${prefix}topUp`, tasks.connect(consumer).topUp(task.taskId, 2400));
    await nextBlockAt((await now()) + 60n);
    await market.complete(task, {}, stranger, first.operator);
  }
  const lost = await award(market, [first], { maxAttempts: 2 });
  await lost.sent;
  await asFirst.startLease(lost.leaseId, 1);
  await step("failLease, reopened", asFirst.failLease(lost.leaseId, 1, digest("lost")));
  await step("takeOver", tasks.connect(second.operator).takeOver(lost.leaseId));
  await step("cancelQuote", asFirst.cancelQuote(1000));
  await step("cancelQuotes", asFirst.cancelQuotes(2000));
}

async function gangOf64(step: Step): Promise<void> {
  const market = await busyLocalMarket();
  const by = attesters(64, 200);
  for (const provider of by) await addNode(market, provider);
  const { tasks } = market;
  const small = { gpus: 0, vCpus: 1, memoryMiB: 1024n };
  for (const [name, changes] of [
    ["createAndAward of 64, private", { ...small, isPrivate: true }],
    ["createAndAward of 64", { ...small, maxAttempts: 2 }],
  ] as const) {
    const task = await award(market, by, changes);
    await step(name, task.sent);
    const last = task.leaseIds.length - 1;
    for (const [index, leaseId] of task.leaseIds.slice(0, last).entries()) {
      await tasks.connect(by[index]?.operator).startLease(leaseId, 1);
    }
    const late = task.leaseIds[last] as string;
    if ("isPrivate" in changes) {
      await nextBlockAt((await tasks.getLease(late)).deadline + 1n);
      await step("expire a gang of 64 that did not start", tasks.connect(stranger).expire(late));
      continue;
    }
    await step("startLease, last of 64", tasks.connect(by[last]?.operator).startLease(late, 1));
    await nextBlockAt((await now()) + 60n);
    await step(
      "failLease in a gang of 64",
      tasks.connect(by[0]?.operator).failLease(task.leaseId, 1, digest("lost")),
    );
    await nextBlockAt((await now()) + 60n);
    await step("cancelTask of 64 that wait", tasks.connect(consumer).cancelTask(task.taskId));
  }
}

export async function measureQuotedPath(step: Step): Promise<void> {
  await oneLease(step);
  await gangOf64(step);
}
