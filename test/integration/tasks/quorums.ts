import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { podUids } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";

/** Results that are paid where nodes of different owners agree. */
export function quorums(get: () => NetworkFixture): void {
  describe("a task whose results must be alike", () => {
    it("rule 21: runs on both providers, which commit, reveal and are paid; its consumer gets one result", async () => {
      const network = get();
      const { market } = network.session;
      const { taskId, leaseIds, reserved } = await network.submit(
        taskFile({
          name: "quorum",
          command: ["sh", "-c", "echo 42 > /output/answer; echo counted; sleep 3"],
          more: { verification: { quorum: { agree: 2, of: 2 } } },
        }),
        "quoted",
      );
      const { leases: running } = await network.untilDetail(taskId, ({ leases }) =>
        leases.every(({ startedAt }) => startedAt > 0n),
      );
      assert.equal(new Set(running.map(({ node }) => node)).size, 2, "each on a node of another owner");
      const pods = await Promise.all(leaseIds.map((id) => podUids(network, id)));
      assert.deepEqual(
        pods.map(({ length }) => length),
        [1, 1],
      );
      const isDone = ({ status }: { status: string }) => status === "Completed" || status === "Settled";
      await network.untilDetail(taskId, ({ leases }) => leases.every(isDone));
      const { output, log } = await network.fetch(taskId);
      assert.deepEqual([output.get("answer"), log], ["42\n", "counted\n"]);

      const { timeline, leases, money } = await network.untilDetail(taskId, (detail) =>
        detail.leases.every(({ status }) => status === "Settled"),
      );
      const named = (name: string) => timeline.filter((event) => event.name === name);
      assert.deepEqual(
        ["ResultCommitted", "ResultRevealed", "ResultsTallied"].map((name) => named(name).length),
        [2, 2, 1],
      );
      const [lastCommitted, firstRevealed] = [named("ResultCommitted").at(-1), named("ResultRevealed")[0]];
      assert.ok(
        (lastCommitted?.block ?? 0n) < (firstRevealed?.block ?? 0n),
        "nothing is open before all are bound",
      );
      for (const { pay, billedSeconds, ratePerHour } of leases) {
        assert.ok(billedSeconds > 0n);
        assert.equal(pay.gross, (ratePerHour * billedSeconds) / 3_600n);
      }
      assert.equal(money.gross + money.released, reserved);
      assert.equal((await market.account(network.session.account.address)).reserved, 0n);
    });
  });
}
