import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { RESERVED_GAS_PER_LEASE } from "../../src/chain/calls.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { Database } from "../../src/journal/database.ts";
import { tarOf } from "../result/hand-made-tar.ts";
import { payOf } from "./running-oracle.ts";
import { type Replica, startReplicas } from "./running-quorum.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

type Running = Awaited<ReturnType<typeof startReplicas>>;

/** Every run leaves its answer in /output. */
async function answers(replicas: readonly Replica[], ...contents: string[]): Promise<void> {
  for (const [index, { cluster }] of replicas.entries())
    cluster.output = await tarOf([{ name: "answer", content: contents[index] ?? "" }]);
}

/** All are started, and a minute passes. */
async function run({ replicas, award, until, untilStatus, pass }: Running, threshold = 2) {
  const task = await award(threshold);
  await untilStatus(task.leases, "Running");
  await until("all run", () => replicas.every(({ cluster }) => cluster.running > 0));
  await pass(60);
  return task;
}

describe("daemons with a task of which two of three results must agree (rule 21)", () => {
  it("are paid where they agree; who has computed something else is neither paid nor slashed", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, untilStatus, earned, stake } = market;
    await answers(replicas, "42", "42", "41");
    const [first, second, other] = replicas as [Replica, Replica, Replica];
    const before = await stake(other);
    const { leases, taskId } = await run(market);
    for (const { cluster } of replicas) cluster.exit(60);
    await untilStatus(leases, "Settled", "Settled", "Failed");
    for (const [index, replica] of [first, second].entries()) {
      const { billedSeconds, ratePerHour } = await market.lease(leases[index] ?? "0x");
      assert.ok(billedSeconds >= 60n);
      assert.equal(await earned(replica), payOf(billedSeconds, ratePerHour));
    }
    assert.equal(await earned(other), 0n);
    assert.deepEqual(await stake(other), { staked: before.staked, locked: 0n });
    const { committed, revealed, isTallied } = await market.ballot(taskId);
    assert.deepEqual([committed, revealed, isTallied], [3, 3, true]);
    assert.equal((await market.talliesOf(taskId)).length, 1, "one of them has the votes counted");
    assert.ok((await market.gasOf(first.provider.node)) < RESERVED_GAS_PER_LEASE);
  });

  it("get a part of their pay where no two results are alike, and hand out no key", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, untilStatus, earned } = market;
    await answers(replicas, "1", "2", "3");
    const { leases } = await run(market);
    for (const { cluster } of replicas) cluster.exit(60);
    await untilStatus(leases, "Settled");
    for (const [index, replica] of replicas.entries()) {
      // The contract has halved the lease's rate (noQuorumBps).
      const { billedSeconds, ratePerHour } = await market.lease(leases[index] ?? "0x");
      assert.equal(ratePerHour, 1_000_000n);
      assert.equal(await earned(replica), payOf(billedSeconds, ratePerHour));
    }
    await market.mine(8);
    await market.until("all is done", () =>
      replicas.every(({ events }) => events.some((event) => event.includes("tearDown"))),
    );
    assert.ok(!replicas.some(({ events }) => events.some((event) => event.includes("giveKey"))));
  });

  it("reveal even where one is killed right after its commitment was sent", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, until, untilStatus } = market;
    await answers(replicas, "42", "42", "42");
    const [killed, ...others] = replicas as [Replica, Replica, Replica];
    await killed.stop();
    const program = fileURLToPath(new URL("./replica-until-killed.ts", import.meta.url));
    const args = [program, JSON.stringify(killed.config), market.spec.image, "42"];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    t.after(() => child.kill("SIGKILL"));
    const exited = once(child, "exit");
    const sent = (async () => {
      for await (const step of createInterface({ input: child.stdout }))
        if (step === "sent:commitResult") break;
      child.kill("SIGKILL");
      await exited;
      return true;
    })();
    const { leases, taskId } = await market.award(2);
    let isKilled = false;
    void sent.then(() => {
      isKilled = true;
    });
    await until("it is killed", () => isKilled);
    assert.equal(child.signalCode, "SIGKILL");
    assert.equal((await market.ballot(taskId)).revealed, 0);

    const db = new Database(killed.config.stateDir);
    const record = new AttemptJournal(db, Date.now).find(leases[0] ?? "0x", 1);
    db.close();
    assert.ok(record?.attestation && record.signature && record.replica, "all that it takes to reveal");

    await until("the others run", () => others.every(({ cluster }) => cluster.running > 0));
    for (const { cluster } of others) cluster.exit(60);
    await untilStatus(leases, "Committed");
    await killed.start();
    await untilStatus(leases, "Settled");
    const { revealed } = await market.ballot(taskId);
    assert.equal(revealed, 3);
  });

  it("count the votes without one that never reveals, and that one's lock is taken", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, untilStatus, stake } = market;
    await answers(replicas, "42", "42", "42");
    const [silent, ...others] = replicas as [Replica, Replica, Replica];
    const before = await stake(silent);
    const { leases, taskId } = await run(market);
    silent.cluster.exit(60);
    await untilStatus(leases, "Committed", "Running", "Running");
    await silent.stop();
    for (const { cluster } of others) cluster.exit(60);
    await untilStatus(leases, "Failed", "Settled", "Settled");
    const tallies = await market.talliesOf(taskId);
    assert.equal(tallies.length, 1, "one of the others has them counted, whoever's turn was first");
    assert.notEqual(tallies[0], silent.provider.node);
    const after = await stake(silent);
    assert.deepEqual(after, { staked: before.staked - 10_000_000n, locked: 0n });
  });
});
