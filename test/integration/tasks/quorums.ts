import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { podUids } from "../../lib/cluster-view.ts";
import { filesWith } from "../../lib/leftovers.ts";
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

    it("rules 11 and 21: a private one runs where its key was wrapped to, and rests on no node's disk in the clear", async () => {
      const network = get();
      const secret = `secret-${randomBytes(8).toString("hex")}`;
      const { taskId, leaseIds } = await network.submit(
        taskFile({
          name: "private-quorum",
          command: ["sh", "-c", 'echo "$PASSPHRASE" > /output/env; cp /input/data.txt /output/data; sleep 2'],
          inputs: { "data.txt": `${secret}-input\n` },
          more: {
            public: undefined,
            env: { PASSPHRASE: `${secret}-env` },
            verification: { quorum: { agree: 2, of: 2 } },
          },
        }),
        "quoted",
      );
      const isDone = ({ status }: { status: string }) => status === "Completed" || status === "Settled";
      const { task, leases, timeline } = await network.untilDetail(taskId, (detail) =>
        detail.leases.every(isDone),
      );
      assert.equal(task.isPrivate, true);
      const granted = timeline.filter(({ name }) => name === "KeyGranted").map(({ values }) => values.node);
      assert.deepEqual(granted.sort(), leases.map(({ node }) => node).sort(), "to those that run it alone");
      for (const leaseId of leaseIds) await network.session.market.approve(leaseId);
      for (const id of leaseIds) {
        const { output } = await network.fetch(id);
        assert.deepEqual([output.get("env"), output.get("data")], [`${secret}-env\n`, `${secret}-input\n`]);
      }
      for (const { name, oracleDir } of network.state.require().providers) {
        assert.deepEqual(await filesWith(oracleDir, secret), [], `what ${name} keeps`);
      }
    });
  });
}
