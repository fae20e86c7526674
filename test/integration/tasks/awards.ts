import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outcomes } from "@dekuper/protocol";
import { podUids } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { wholeNode } from "../../lib/providers.ts";

/** Tasks that are ordered by quotes: one node, and two that run as one. */
export function awards(get: () => NetworkFixture): void {
  describe("a task that is awarded by quotes", () => {
    it("rule 8: is ordered and assigned in one transaction, runs, delivers and is paid at the quoted rate", async () => {
      const network = get();
      const { taskId, leaseId, path, ratePerHour, reserved } = await network.submit(
        taskFile({ name: "quoted", command: ["sh", "-c", "echo 42 > /output/answer; echo done; sleep 2"] }),
        "quoted",
      );
      assert.equal(path, "quoted");
      const { timeline: begun } = await network.untilStatus(taskId, ["Completed"]);
      const [created, assigned] = ["TaskCreated", "LeaseAssigned"].map((name) =>
        begun.find((event) => event.name === name),
      );
      assert.equal(created?.from, network.session.account.address);
      assert.equal(assigned?.hash, created?.hash);
      const { output, log, accepted } = await network.fetch(taskId);
      assert.deepEqual([output.get("answer"), log], ["42\n", "done\n"]);
      assert.equal(outcomes[accepted.attestation.outcome], "Success");

      await network.session.market.approve(leaseId);
      const { money, lease } = await network.untilDetail(
        taskId,
        (detail) => detail.lease.status === "Settled",
      );
      assert.equal(lease.ratePerHour, ratePerHour);
      assert.equal(money.gross, (ratePerHour * lease.billedSeconds) / 3_600n);
      assert.equal(money.gross + money.released, reserved);
    });

    it("rule 13: a gang's clock starts when both providers run, and each member completes and settles", async () => {
      const network = get();
      const { taskId, leaseIds, reserved } = await network.submit(
        taskFile({
          name: "gang",
          command: ["sh", "-c", "echo $NODE_RANK > /output/rank; sleep 10"],
          cpu: await wholeNode(network),
          more: { nodes: 2 },
        }),
        "quoted",
      );
      const { leases, gang } = await network.untilDetail(taskId, ({ gang }) => (gang?.firstFrom ?? 0n) > 0n);
      assert.deepEqual(
        leases.map(({ node }) => node).sort(),
        network.record.providers.map(({ operator }) => operator.address).sort(),
      );
      const pods = await Promise.all(leaseIds.map((id) => podUids(network, id)));
      assert.deepEqual(
        pods.map(({ length }) => length),
        [1, 1],
      );
      const last = leases.map(({ startedAt }) => startedAt).reduce((a, b) => (a > b ? a : b));
      assert.equal(gang?.firstFrom, last, "the last to start starts the clock");

      await network.untilDetail(taskId, ({ leases }) => leases.every(({ status }) => status === "Completed"));
      const fetched = await Promise.all(leaseIds.map((id) => network.fetch(id)));
      assert.deepEqual(
        fetched.map(({ output }) => output.get("rank")),
        ["0\n", "1\n"],
      );
      for (const id of leaseIds) await network.session.market.approve(id);
      const { money, leases: settled } = await network.untilDetail(taskId, ({ leases }) =>
        leases.every(({ status }) => status === "Settled"),
      );
      for (const { pay, billedSeconds, ratePerHour } of settled) {
        assert.ok(billedSeconds > 0n);
        assert.equal(pay.gross, (ratePerHour * billedSeconds) / 3_600n);
      }
      assert.equal(money.gross + money.released, reserved);
    });
  });
}
