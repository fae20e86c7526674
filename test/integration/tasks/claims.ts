import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fetchDelivery, memoryCiphertext, memorySink } from "@dekuper/client";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { providerOf } from "../../lib/providers.ts";

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
