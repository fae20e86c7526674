import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { TaskDetail } from "@dekuper/client";
import { outcomes } from "@dekuper/protocol";
import { deletePods, untilGone } from "../../lib/cluster-view.ts";
import { postsNothing } from "../../lib/lost-operator.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { killOracle, restartOracle } from "../../lib/oracle-process.ts";
import {
  formCommittee,
  joinInPlaceOf,
  marketOfOwner,
  offlineSince,
  providerOf,
  setReplaceWindow,
  wholeNode,
} from "../../lib/providers.ts";

/** Goes on from its checkpoint; the first attempt runs until it is lost. */
const RESUMABLE = [
  "if [ -f $CHECKPOINT_DIR/at ]; then cat $CHECKPOINT_DIR/at > /output/from; sleep 12; exit 0; fi",
  "echo half > $CHECKPOINT_DIR/at",
  "sleep 90",
].join("\n");

/** Each rank leaves a checkpoint and waits; a rank that finds one says where it goes on from. */
const RESUMABLE_GANG = [
  "if [ -f $CHECKPOINT_DIR/at ]; then cp $CHECKPOINT_DIR/at /output/from; sleep 8; exit 0; fi",
  "echo rank $NODE_RANK > $CHECKPOINT_DIR/at",
  "sleep 90", // until it is found offline, and another has its rank
  "echo $NODE_RANK > /output/rank",
].join("\n");

/** A task that has claimed a checkpoint when its node and pods are gone. */
async function lostAfterCheckpoint(network: NetworkFixture, name: string) {
  const submitted = await network.submit(
    taskFile({ name, command: ["sh", "-c", RESUMABLE], more: { attempts: 2, rate: 1 } }),
  );
  const { lease } = await network.untilDetail(
    submitted.taskId,
    ({ lease: { status, checkpointDigest } }) => status === "Running" && BigInt(checkpointDigest) !== 0n,
  );
  const lost = providerOf(network, lease.node);
  await killOracle(network, lost);
  await deletePods(network, submitted.leaseId);
  return { ...submitted, first: lease, lost };
}

/** Nodes that leave for good: the last tests of a network, which has other providers afterwards. */
export function losses(get: () => NetworkFixture): void {
  describe("a node that is lost", () => {
    it("rules 17 and 24 to 26: is found offline by the committee, and another goes on with its lease; it comes back", async () => {
      const network = get();
      await formCommittee(network);
      const { taskId, leaseId, lost } = await lostAfterCheckpoint(network, "unheard");

      const { lease: resumed, timeline } = await network.untilDetail(
        taskId,
        ({ lease }) => lease.status === "Running" && lease.attempt === 2,
      );
      assert.notEqual(resumed.node, lost.operator.address);
      assert.ok((await offlineSince(network, lost)) > 0n, "by the committee's word");
      const sender = timeline.find(({ name }) => name === "AttemptLost")?.from;
      assert.notEqual(sender, network.session.account.address, "nobody but the nodes has asked for it");
      await restartOracle(network, lost);
      await network.untilStatus(taskId, ["Completed"]);
      assert.equal((await network.fetch(taskId)).output.get("from"), "half\n");
      while ((await offlineSince(network, lost)) !== 0n) await sleep(500);
      await untilGone(network, leaseId);
    });

    it("rule 17: another provider takes its lease over with the same escrow, and goes on from the checkpoint", async () => {
      const network = get();
      const { taskId, leaseId, reserved, first, lost } = await lostAfterCheckpoint(network, "failover");
      await marketOfOwner(network, lost).revokeOperator(lost.operator.address);

      const { lease: second } = await network.untilDetail(
        taskId,
        ({ lease }) => lease.status === "Running" && lease.attempt === 2,
      );
      assert.notEqual(second.node, lost.operator.address);
      await postsNothing(network, lost, second);
      await restartOracle(network, lost); // it wakes up to a lease that is not its any more
      await network.untilStatus(taskId, ["Completed"]);
      assert.equal((await network.fetch(taskId)).output.get("from"), "half\n");
      await network.session.market.approve(leaseId);
      const detail = await network.untilDetail(taskId, ({ lease }) => lease.status === "Settled");
      await untilGone(network, leaseId);

      const [attempt] = eventsOf(detail, "AttemptLost");
      const claims = eventsOf(detail, "CheckpointClaimed").filter(({ values }) => values.attempt === 1);
      const paidFor = (claims.at(-1)?.time ?? 0n) - first.startedAt;
      assert.ok(claims.length > 0);
      assert.equal(attempt?.values.billedSeconds, paidFor, "paid to its last claim, not to its loss");
      assert.equal(attempt?.values.gross, (first.ratePerHour * paidFor) / 3_600n);
      assert.equal(eventsOf(detail, "Reserved").length, 1);
      assert.equal(detail.money.reserved, reserved);
      assert.equal(detail.money.gross + detail.money.released, reserved);
      assert.equal((await network.session.market.account(network.session.account.address)).reserved, 0n);
      const since = attempt?.block ?? 0n;
      const late = detail.timeline.filter(
        ({ from, block }) => from === lost.operator.address && block >= since,
      );
      assert.deepEqual(late, []);

      await killOracle(network, lost);
      await joinInPlaceOf(network, lost, "provider3");
    });

    it("rules 13, 17 and 25: a gang on two providers goes on when one dies: the committee finds it offline, another node takes the rank over at its checkpoint, and the survivor is paid for the waiting", async () => {
      const network = get();
      const { market } = network.session;
      await formCommittee(network);
      const lost = network.state.require().providers.findLast(({ name }) => name.startsWith("provider"));
      assert.ok(lost !== undefined);
      // Registered before the order, or it had no ticket; asleep, so that the others get the leases.
      await joinInPlaceOf(network, lost, "spare1");
      const spare = network.state.require().providers.find(({ name }) => name === "spare1");
      assert.ok(spare !== undefined);
      await killOracle(network, spare);
      const { taskId, reserved } = await network.submit(
        taskFile({
          name: "gang-replaced",
          command: ["sh", "-c", RESUMABLE_GANG],
          duration: "5m",
          cpu: await wholeNode(network),
          more: { nodes: 2, attempts: 2 },
        }),
        "quoted",
      );
      const { leases: first } = await network.untilDetail(
        taskId,
        ({ gang, leases }) =>
          (gang?.firstFrom ?? 0n) > 0n &&
          leases.every(({ checkpointDigest }) => BigInt(checkpointDigest) !== 0n),
      );
      const lostLease = first.find(({ node }) => node === lost.operator.address);
      const kept = first.find(({ node }) => node !== lost.operator.address);
      assert.ok(lostLease !== undefined && kept?.node !== undefined);
      const { owner } = providerOf(network, kept.node);
      const { earnings } = await market.account(owner.address);

      await killOracle(network, lost);
      await deletePods(network, lostLease.leaseId);
      await restartOracle(network, spare);
      const stopped = await network.untilDetail(taskId, ({ gang }) => (gang?.firstTo ?? 0n) > 0n);
      assert.equal(stopped.gang?.firstTo, await offlineSince(network, lost), "since when it is offline");
      const [loss] = eventsOf(stopped, "AttemptLost");
      assert.ok(loss !== undefined);
      const byNodes = network.state.require().providers.map(({ operator }) => operator.address);
      assert.ok(byNodes.includes(loss.from), "nobody but the nodes has asked for it");
      const resumed = await network.untilDetail(taskId, ({ gang }) => (gang?.secondFrom ?? 0n) > 0n);
      const taken = resumed.leases[lostLease.index];
      assert.deepEqual([taken?.node, taken?.attempt], [spare.operator.address, 2]);
      assert.deepEqual(
        [resumed.leases[kept.index]?.node, resumed.leases[kept.index]?.attempt],
        [kept.node, 1],
      );
      await postsNothing(network, lost, { ...lostLease, attempt: 2 });
      await restartOracle(network, lost); // it clears away what is left of its attempt

      const isDone = ({ status }: { status: string }) => status === "Completed" || status === "Settled";
      await network.untilDetail(taskId, ({ leases }) => leases.every(isDone));
      const [went, stayed] = await Promise.all([
        network.fetch(lostLease.leaseId),
        network.fetch(kept.leaseId),
      ]);
      assert.equal(went.output.get("from"), `rank ${lostLease.index}\n`);
      assert.equal(stayed.output.get("rank"), `${kept.index}\n`);
      // Nobody approves: the oracles settle when the windows are over.
      const detail = await network.untilDetail(taskId, ({ leases }) =>
        leases.every(({ status }) => status === "Settled"),
      );

      const { gang, money } = detail;
      assert.ok(gang !== undefined);
      const claims = eventsOf(detail, "CheckpointClaimed").filter(
        ({ values }) => values.leaseId === lostLease.leaseId && values.attempt === 1,
      );
      const lastClaim = claims.at(-1)?.time ?? 0n;
      const paidFor = lastClaim > gang.firstFrom ? lastClaim - gang.firstFrom : 0n;
      assert.equal(loss.values.billedSeconds, paidFor, "paid to its last claim, not to its loss");
      assert.equal(loss.values.gross, (lostLease.ratePerHour * paidFor) / 3_600n);
      const waited = gang.secondFrom - gang.firstTo;
      const [paid] = eventsOf(detail, "WaitingPaid");
      const standby = (kept.ratePerHour * waited * 5_000n) / (3_600n * 10_000n);
      assert.equal(paid?.values.amount, standby, "for the seconds in which the clock stood still");
      const survivor = detail.leases[kept.index];
      const ended = eventsOf(detail, "LeaseCompleted").find(({ values }) => values.leaseId === kept.leaseId);
      const attested = survivor?.attestation?.attestation;
      assert.ok(survivor !== undefined && attested !== undefined && ended !== undefined);
      const from = attested.started > gang.firstFrom ? attested.started : gang.firstFrom;
      const to = attested.ended < ended.time ? attested.ended : ended.time;
      assert.equal(survivor.billedSeconds, to - from - waited, "for no second in which it stood");
      assert.equal(survivor.pay.gross, (kept.ratePerHour * survivor.billedSeconds) / 3_600n);
      const earned = (await market.account(owner.address)).earnings - earnings;
      assert.equal(earned, survivor.pay.earned + standby);
      assert.equal(money.gross + money.released, reserved);
      assert.equal((await market.account(network.session.account.address)).reserved, 0n);
      const late = detail.timeline.filter(
        ({ from: sender, block }) => sender === lost.operator.address && block >= loss.block,
      );
      assert.deepEqual(late, []);
      for (const { leaseId } of first) await untilGone(network, leaseId);
      await killOracle(network, lost);
      await marketOfOwner(network, lost).revokeOperator(lost.operator.address);
    });

    it("rule 13: without a replacement its gang winds down: the survivor delivers, and is paid to the stop plus standby", async (t) => {
      const network = get();
      const { market } = network.session;
      const waited = 12;
      const before = await setReplaceWindow(network, waited);
      t.after(() => setReplaceWindow(network, before));
      const { taskId, reserved } = await network.submit(
        taskFile({
          name: "gang-lost",
          command: ["sh", "-c", "echo $NODE_RANK > /output/rank; sleep 300"],
          duration: "5m",
          cpu: await wholeNode(network),
          more: { nodes: 2 },
        }),
        "quoted",
      );
      const { leases } = await network.untilDetail(taskId, ({ gang }) => (gang?.firstFrom ?? 0n) > 0n);
      const [lost, survivor] = leases;
      assert.ok(lost?.node !== undefined && survivor?.node !== undefined);
      assert.notEqual(lost.node, survivor.node);
      const { owner } = providerOf(network, survivor.node);
      const { earnings } = await market.account(owner.address);
      await marketOfOwner(network, providerOf(network, lost.node)).revokeOperator(lost.node);

      await network.untilDetail(taskId, (detail) => detail.leases[1]?.status === "Completed");
      const delivery = await network.fetch(survivor.leaseId);
      assert.equal(outcomes[delivery.accepted.attestation.outcome], "PeerLost");
      assert.equal(delivery.output.get("rank"), "1\n");
      await market.approve(survivor.leaseId);
      const detail = await network.untilDetail(taskId, ({ leases }) => leases[1]?.status === "Settled");
      assert.equal(detail.leases[0]?.status, "Expired");

      const { gang, money } = detail;
      const [ran, settled] = [(gang?.firstTo ?? 0n) - (gang?.firstFrom ?? 0n), detail.leases[1]];
      assert.equal(settled?.billedSeconds, ran, "the clock stopped with the lost member");
      assert.equal(settled?.pay.gross, (survivor.ratePerHour * ran) / 3_600n);
      const standby = (survivor.ratePerHour * BigInt(waited) * 5_000n) / (3_600n * 10_000n);
      const [paid] = eventsOf(detail, "WaitingPaid");
      assert.equal(paid?.values.amount, standby);
      const earned = (await market.account(owner.address)).earnings - earnings;
      assert.equal(earned, (settled?.pay.earned ?? 0n) + standby);
      assert.equal(money.gross + money.released, reserved);
      for (const { leaseId } of leases) await untilGone(network, leaseId);
    });
  });
}

function eventsOf({ timeline }: TaskDetail, name: string) {
  return timeline.filter((event) => event.name === name);
}
