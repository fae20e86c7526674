import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { outcomes } from "@dekuper/protocol";
import { untilGone } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";

/** From order to pay, and the money at the end of it. */
export function life(get: () => NetworkFixture): void {
  describe("a task's life", () => {
    it("carries inputs in, the output out, and pays for the seconds that it ran", async () => {
      const network = get();
      const { taskId, leaseId, reserved } = await network.submit(
        taskFile({
          inputs: { "words.txt": "one two three\n" },
          command: [
            "sh",
            "-c",
            "wc -w < /input/words.txt > /output/count; mkdir /output/d; echo x > /output/d/x; echo counted; sleep 5",
          ],
        }),
      );
      await network.untilStatus(taskId, ["Completed"]);
      const delivery = await network.fetch(taskId);
      assert.equal(delivery.output.get("count"), "3\n");
      assert.deepEqual([...delivery.output.keys()].sort(), ["count", "d/x"]);
      assert.equal(delivery.log, "counted\n");
      assert.equal(outcomes[delivery.accepted.attestation.outcome], "Success");

      await network.session.market.approve(leaseId);
      const { money, lease } = await network.untilDetail(
        taskId,
        (detail) => detail.lease.status === "Settled",
      );
      assert.equal(money.reserved, reserved);
      assert.equal(money.gross + money.released, reserved);
      assert.ok(lease.billedSeconds >= 2n && lease.billedSeconds <= 12n, `billed ${lease.billedSeconds} s`);
    });

    it("is settled by the oracle once the window is over, if the consumer says nothing", async () => {
      const network = get();
      const { taskId } = await network.submit(taskFile({ command: ["true"] }));
      await network.untilStatus(taskId, ["Completed"]);
      const { timeline } = await network.untilDetail(
        taskId,
        (detail) => detail.lease.status === "Settled",
        60_000,
      );
      const settled = timeline.find((event) => event.name === "LeaseSettled");
      assert.ok(network.record.providers.some(({ operator }) => operator.address === settled?.from));
    });

    it("claims checkpoints while it runs", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ command: ["sh", "-c", "for i in 1 2 3 4 5 6 7; do echo $i; sleep 2; done"] }),
      );
      await network.untilStatus(taskId, ["Completed"]);
      const { timeline } = await network.session.market.taskDetail(taskId);
      assert.ok(timeline.some((event) => event.name === "CheckpointClaimed"));
      await network.session.market.approve(leaseId);
    });

    it("stops when the consumer cancels, is paid to that moment, and still delivers", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ command: ["sh", "-c", "echo begun > /output/x; sleep 600"] }),
      );
      await network.untilStatus(taskId, ["Running"]);
      await network.session.market.cancel(taskId);
      await network.untilStatus(taskId, ["Completed"]);
      const delivery = await network.fetch(taskId);
      assert.equal(outcomes[delivery.accepted.attestation.outcome], "Cancelled");
      assert.equal(delivery.output.get("x"), "begun\n");
      await network.session.market.approve(leaseId);
      const { money } = await network.untilDetail(taskId, (detail) => detail.lease.status === "Settled");
      assert.ok(money.released > 0n);
    });

    it("leaves the cluster clean", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(taskFile({ command: ["true"] }));
      await network.untilStatus(taskId, ["Completed"]);
      await network.session.market.approve(leaseId);
      await network.untilDetail(taskId, (detail) => detail.lease.status === "Settled");
      await untilGone(network, leaseId);
    });
  });
}
