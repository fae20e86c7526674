/**
 * Measures the gas of each step of a task's life on a fresh chain and writes `contracts/gas-snapshot.json`, or with
 * `--check` fails where a step differs from the file by more than the tolerance.
 *
 * The tolerance is for calldata: timestamps and signatures have more or fewer zero bytes from run to run.
 */
import { readFile, writeFile } from "node:fs/promises";
import hre from "hardhat";
import {
  addNode,
  attester,
  attesters,
  bid,
  patientMarket,
  rotate,
  seat,
  send,
  strangers,
} from "../test/contracts/committee.ts";
import {
  busyLocalMarket,
  DOLLAR,
  digest,
  ethers,
  localMarket,
  nextBlockAt,
  now,
  people,
} from "../test/contracts/market.ts";
import { measureQuotedPath } from "./gas/quoted-path.ts";

const TOLERANCE = 0.005;
const path = new URL("../contracts/gas-snapshot.json", import.meta.url);
const { consumer, operator, owner, stranger } = people;

const measured: Record<string, number> = {};

async function step(name: string, transaction: Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>) {
  const receipt = await (await transaction).wait();
  if (receipt === null) throw new Error(`${name} was not mined`);
  measured[name] = Number(receipt.gasUsed);
}

await localMarket();
const names = ["Governance", "Forwarder", "TaskRegistry", "NodeRegistry", "PaymentEscrow", "Liveness"];
const libraries = ["Awards", "Leases", "Evidence", "Quorums", "Deliveries"];
const head = await ethers.provider.getBlockNumber();
const creations = new Map<string, number>();
for (let number = 0; number <= head; number++) {
  const block = await ethers.provider.getBlock(number, true);
  for (const transaction of block?.prefetchedTransactions ?? []) {
    const receipt = await ethers.provider.getTransactionReceipt(transaction.hash);
    if (receipt?.contractAddress) creations.set(transaction.data, Number(receipt.gasUsed));
  }
}
for (const name of [...names, ...libraries]) {
  // Up to the first library that is linked in.
  const [bytecode = ""] = (await hre.artifacts.readArtifact(name)).bytecode.split("__");
  const found = [...creations].find(([data]) => data.startsWith(bytecode));
  if (found) measured[`deploy ${name}`] = found[1];
}

const market = await busyLocalMarket();
const { tasks, nodes, escrow, token } = market;
const asNode = tasks.connect(operator);
const asConsumer = tasks.connect(consumer);

await step("register", market.register({}, people.otherOperator, stranger));
await token.mint(consumer.address, 10n * DOLLAR);
await token.connect(consumer).approve(await escrow.getAddress(), 10n * DOLLAR);
await step("deposit", escrow.connect(consumer).deposit(10n * DOLLAR));
await market.fund(owner, 10n * DOLLAR);
await step("stake", nodes.connect(owner).stake(operator.address, 5n * DOLLAR));
await step("unstake", nodes.connect(owner).unstake(operator.address, DOLLAR));
await step("setFloor", nodes.connect(owner).setFloor(operator.address, { perGpuHour: 1, perVCpuHour: 1 }));
await step("drain", nodes.connect(owner).drain(operator.address));
await step("resume", nodes.connect(owner).resume(operator.address));

// The first task writes fresh slots of consumer and node; the second is what every later one costs.
for (const prefix of ["first ", ""]) {
  const order = await market.order();
  const taskId = await market.nextTaskId(order, consumer.address);
  const ref = { taskId, leaseId: await tasks.leaseIdOf(taskId, 0) };
  await step(`${prefix}createTask`, asConsumer.createTask(order));
  await step(`${prefix}acceptTask`, asNode.acceptTask(taskId));
  await step(`${prefix}startLease`, asNode.startLease(ref.leaseId, 1));
  await nextBlockAt((await now()) + 60n);
  await step(`${prefix}checkpoint`, asNode.checkpoint(ref.leaseId, 1, 1, digest("checkpoint")));
  await nextBlockAt((await now()) + 60n);
  await step(`${prefix}completeLease`, market.complete(ref));
  await step(`${prefix}approve`, asConsumer.approve(ref.leaseId));
}

const windowed = await market.leaseIn("Completed");
await nextBlockAt((await tasks.getLease(windowed.leaseId)).deadline + 1n);
await step("settle", tasks.connect(stranger).settle(windowed.leaseId));
await step("cancelTask while Open", asConsumer.cancelTask((await market.leaseIn("Open")).taskId));
await step("cancelTask while Assigned", asConsumer.cancelTask((await market.leaseIn("Assigned")).taskId));
await step("cancelTask while Running", asConsumer.cancelTask((await market.leaseIn("Running")).taskId));
await step("failLease", asNode.failLease((await market.leaseIn("Running")).leaseId, 1, digest("reason")));
const open = await market.leaseIn("Open");
await nextBlockAt((await tasks.getTask(open.taskId)).openUntil + 1n);
await step("expire", tasks.connect(stranger).expire(open.leaseId));
const twice = await market.leaseIn("Completed");
const one = await market.attestation(twice, { outputDigest: digest("one") });
const two = { ...one, outputDigest: digest("two") };
await step(
  "proveEquivocation",
  tasks.connect(stranger).proveEquivocation(one, await market.sign(one), two, await market.sign(two)),
);
await step("withdraw", escrow.connect(consumer).withdraw(stranger.address, DOLLAR));
await step("withdrawEarnings", escrow.connect(owner).withdrawEarnings(stranger.address, 1n));
await step("withdrawFees", escrow.connect(stranger).withdrawFees());
await step("revokeOperator", nodes.connect(owner).revokeOperator(operator.address));

await measureQuotedPath(step);

// A committee of 16; a quorum of it are 11. A seat's first sign in an epoch costs a write more, as does a node's first report.
const watched = await patientMarket();
const quorum = attesters(11);
await seat(watched, attesters(15));
await addNode(watched, attester(15));
await step("bid", bid(watched, attester(15)));
await step("rotate to 16 seats", rotate(watched));
await step("rotate without a change", rotate(watched));
await step("checkIn", watched.liveness.connect(attester(0).operator).checkIn());
await step("report of no change, first in the epoch", send(watched, quorum));
await step("report of no change", send(watched, quorum));
await step("report of 1 node, its first", send(watched, quorum, { offline: strangers(1) }));
await step("report of 1 node", send(watched, quorum, { online: strangers(1) }));
await step("report of 64 nodes, their first", send(watched, quorum, { offline: strangers(64, 1) }));
await step("report of 64 nodes", send(watched, quorum, { online: strangers(64, 1) }));
const lost = attester(0).operator.address;
await send(watched, quorum, { offline: [lost] });
await nextBlockAt((await now()) + 100n);
await step("finalise", watched.liveness.finalise(lost));
await step("stillAlive", watched.liveness.connect(attester(0).operator).stillAlive());
await step("stillAlive of an online node", watched.liveness.connect(attester(0).operator).stillAlive());

if (process.argv.includes("--check")) {
  const kept: Record<string, number> = JSON.parse(await readFile(path, "utf8"));
  const all = new Set([...Object.keys(kept), ...Object.keys(measured)]);
  for (const name of all) {
    const before = kept[name] ?? 0;
    const after = measured[name] ?? 0;
    if (Math.abs(after - before) > before * TOLERANCE) {
      console.error(`${name}: ${before} -> ${after} gas`);
      process.exitCode = 1;
    }
  }
  if (process.exitCode === 1)
    console.error("If this is meant: npm run generate -- contracts/gas-snapshot.json");
} else {
  await writeFile(path, `${JSON.stringify(measured, null, 2)}\n`);
}
console.table(measured);
