import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fetchDelivery, memoryCiphertext, memorySink, type TaskDetail } from "@dekuper/client";
import { taskRegistryAbi } from "@dekuper/protocol";
import { decodeFunctionData, type Hex } from "viem";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { formCommittee, providerOf } from "../../lib/providers.ts";

/** Several chunks of 1 MiB, and seconds that are paid for. */
const RANDOM_OUTPUT = "dd if=/dev/urandom of=/output/big bs=1M count=3; sleep 3";

/** Results that are said to be missing. */
export function claims(get: () => NetworkFixture): void {
  describe("a claim that a result was not delivered", () => {
    it("rule 20: of who has signed a receipt is answered by the node with it: the bond is the owner's, the run is paid", async () => {
      const network = get();
      const { market, peer, signer, key } = network.session;
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "claimed", command: ["sh", "-c", "echo 42 > /output/answer; sleep 2"] }),
      );
      const { lease, task } = await network.untilStatus(taskId, ["Completed"]);
      const { owner } = providerOf(network, lease.node);
      const { earnings } = await market.account(owner.address);
      const delivery = await fetchDelivery({
        ...{ market, peer, signer, key },
        id: taskId,
        store: memoryCiphertext(),
        sink: memorySink(),
        givesReceipt: true,
      });
      assert.deepEqual(delivery.receipt, { kind: "given" });

      await market.claimUndelivered(leaseId);
      const { timeline } = await network.untilDetail(taskId, (detail) => detail.lease.status === "Settled");
      assert.deepEqual(
        timeline.filter(({ name }) => name === "DeliveryJudged").map(({ values }) => values.delivered),
        [true],
      );
      const { pay } = await market.taskDetail(taskId).then(({ lease: settled }) => settled);
      const earned = (await market.account(owner.address)).earnings - earnings;
      assert.equal(earned, pay.earned + task.terms.claimBond);
    });
  });
}

/** The same, where the consumer has signed nothing: the committee finds out. */
export function judgedClaims(get: () => NetworkFixture): void {
  describe("a claim that the committee judges", () => {
    it("rule 20: without a receipt, by attesters that ask for what its block draws: the node that gives it has the bond, the one that does not has no pay", async () => {
      const network = get();
      const { market, account } = network.session;
      await formCommittee(network);
      const { free } = await market.account(account.address);
      const order = (name: string) =>
        network.submit(taskFile({ name, command: ["sh", "-c", RANDOM_OUTPUT] }));
      const given = await order("given");
      const withheld = await order("withheld");

      const delivered = await network.untilStatus(given.taskId, ["Completed"]);
      const { owner } = providerOf(network, delivered.lease.node);
      const { earnings } = await market.account(owner.address);
      await market.claimUndelivered(given.leaseId);
      await removeOutput(network, await network.untilStatus(withheld.taskId, ["Completed"]));
      await market.claimUndelivered(withheld.leaseId);

      const found = await untilJudged(network, given.taskId);
      assert.deepEqual(found.verdict, { functionName: "answerWithAttesters", fetched: true, attesters: 3 });
      assert.equal(found.from, delivered.lease.node, "the node has asked for it");
      const missed = await untilJudged(network, withheld.taskId);
      assert.deepEqual(missed.verdict, { functionName: "answerWithAttesters", fetched: false, attesters: 3 });
      assert.notEqual(missed.from, missed.detail.lease.node);
      assert.equal(missed.detail.lease.status, "Failed");
      assert.equal(missed.detail.money.released, withheld.reserved, "all of it back");

      const { task, lease } = await network.untilDetail(
        given.taskId,
        (detail) => detail.lease.status === "Settled",
      );
      assert.ok(lease.pay.earned > 0n);
      const { claimBond } = task.terms;
      assert.equal((await market.account(owner.address)).earnings - earnings, lease.pay.earned + claimBond);
      assert.equal(free - (await market.account(account.address)).free, lease.pay.gross + claimBond);
    });
  });
}

/** Takes the ciphertext of its output from the node's disk. */
async function removeOutput(
  network: NetworkFixture,
  { lease: { node, attestation } }: TaskDetail,
): Promise<void> {
  const digest = attestation?.attestation.ciphertextRoot.slice(2) ?? "";
  const blobs = join(providerOf(network, node).oracleDir, "state", "blobs");
  await rm(join(blobs, "output", digest.slice(0, 2), digest));
}

/** What has answered the claim of a task's only lease, as its transaction shows. */
async function untilJudged({ untilDetail, session: { market } }: NetworkFixture, taskId: Hex) {
  const isJudged = ({ name }: { name: string }) => name === "DeliveryJudged";
  const detail = await untilDetail(taskId, ({ timeline }) => timeline.some(isJudged));
  const judged = detail.timeline.find(isJudged);
  assert.ok(judged !== undefined);
  const { input } = await market.publicClient.getTransaction({ hash: judged.hash });
  const { functionName, args } = decodeFunctionData({ abi: taskRegistryAbi, data: input });
  assert.ok(functionName === "answerWithAttesters", functionName);
  const [, fetched, signatures] = args;
  assert.equal(judged.values.delivered, fetched);
  return { detail, from: judged.from, verdict: { functionName, fetched, attesters: signatures.length } };
}
