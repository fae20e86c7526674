import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podUids } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { attestationsOf, killOracle, restartOracle, untilStep } from "../../lib/oracle-process.ts";

/** Steps of the oracle's journal, in order: it is killed as soon as each is seen, and started again. */
const STEPS = [
  "accepted",
  "ensured",
  "inputs_sent",
  "started",
  "log_taken",
  "sealed",
  "attested",
  "signed",
  "posted",
] as const;

export function crashes(get: () => NetworkFixture): void {
  describe("kill -9 of the oracle", () => {
    for (const step of STEPS) {
      it(`after "${step}": one pod, one payment, the same output`, async () => {
        const network = get();
        const { taskId, leaseId, reserved } = await network.submit(
          taskFile({
            name: `kill-${step.replace("_", "-")}`,
            inputs: { "seed.txt": "17\n" },
            command: ["sh", "-c", "cat /input/seed.txt; echo $RANDOM > /output/x; sleep 2"],
          }),
        );
        const provider = await untilStep(network, leaseId, step);
        const pods = await podUids(network, leaseId);
        await killOracle(network, provider);
        await restartOracle(network, provider);
        await network.untilStatus(taskId, ["Completed"]);
        const delivery = await network.fetch(taskId);
        assert.match(delivery.output.get("x") ?? "", /^\d+\n$/);
        const uids = new Set([...pods, ...(await podUids(network, leaseId))]);
        assert.ok(uids.size <= 1, `pods: ${[...uids].join(", ")}`);
        await network.session.market.approve(leaseId);
        const { timeline, money } = await network.untilDetail(
          taskId,
          (detail) => detail.lease.status === "Settled",
        );
        const times = (name: string) => timeline.filter((event) => event.name === name).length;
        assert.equal(times("LeaseCompleted"), 1);
        assert.equal(times("LeaseSettled"), 1);
        // Killed before it could say that the run had started, the node may have nothing to be paid for.
        assert.equal(times("Paid"), money.gross > 0n ? 1 : 0);
        assert.equal(money.gross + money.released, reserved);
        assert.equal(attestationsOf(provider, leaseId), 1);
      });
    }
  });
}
