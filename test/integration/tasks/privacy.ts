import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { filesWith } from "../../lib/leftovers.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";

/** What nobody but the node that runs it may read. */
export function privacy(get: () => NetworkFixture): void {
  describe("a private task", () => {
    it("rule 11: runs where its key was wrapped to, and rests on no node's disk in the clear", async () => {
      const network = get();
      const secret = `secret-${randomBytes(8).toString("hex")}`;
      const { taskId, leaseId } = await network.submit(
        taskFile({
          name: "private",
          command: ["sh", "-c", 'echo "$PASSPHRASE" > /output/env; cp /input/data.txt /output/data; sleep 2'],
          inputs: { "data.txt": `${secret}-input\n` },
          more: { public: undefined, env: { PASSPHRASE: `${secret}-env` } },
        }),
        "quoted",
      );
      const { task, timeline } = await network.untilStatus(taskId, ["Completed"]);
      assert.equal(task.isPrivate, true);
      const granted = timeline.filter(({ name }) => name === "KeyGranted");
      assert.ok(granted.length > 0, "the order carries the wraps");
      const { output } = await network.fetch(taskId);
      assert.deepEqual([output.get("env"), output.get("data")], [`${secret}-env\n`, `${secret}-input\n`]);
      for (const { name, oracleDir } of network.state.require().providers) {
        assert.deepEqual(await filesWith(oracleDir, secret), [], `what ${name} keeps`);
      }
      await network.session.market.approve(leaseId);
    });
  });
}
