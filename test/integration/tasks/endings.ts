import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Outcome, outcomes } from "@dekuper/protocol";
import { type NetworkFixture, type TaskWish, taskFile } from "../../lib/network-fixture.ts";

const script = (text: string) => ["sh", "-c", text];

/** Each way of ending, with what the consumer gets of it. */
export function endings(get: () => NetworkFixture): void {
  describe("a run that ends badly", () => {
    const cases: readonly {
      what: string;
      wish: TaskWish;
      outcome: Outcome;
      exitCode?: number;
      log?: RegExp;
    }[] = [
      {
        what: "exit code 3",
        wish: { command: script("echo before the end; exit 3") },
        outcome: "NonZeroExit",
        exitCode: 3,
        log: /before the end/,
      },
      {
        what: "out of memory",
        wish: { command: script("echo eating; tail /dev/zero"), memory: "32Mi" },
        outcome: "OutOfMemory",
        log: /eating/,
      },
      {
        what: "over its time",
        wish: { command: script("echo waiting; sleep 300"), duration: "6s" },
        outcome: "TimeLimit",
        log: /waiting/,
      },
      {
        what: "more output than allowed",
        wish: {
          command: script("echo writing; dd if=/dev/zero of=/output/big bs=1M count=3 2>/dev/null"),
          maxSize: "1Mi",
        },
        outcome: "OutputTooLarge",
        log: /writing/,
      },
    ];
    for (const { what, wish, outcome, exitCode, log } of cases) {
      it(`${what}: is attested as ${outcome}, delivers its log and is paid like any other`, async () => {
        const network = get();
        const { taskId, leaseId } = await network.submit(taskFile(wish));
        await network.untilStatus(taskId, ["Completed"]);
        const delivery = await network.fetch(taskId);
        assert.equal(outcomes[delivery.accepted.attestation.outcome], outcome);
        if (exitCode !== undefined) assert.equal(delivery.accepted.attestation.exitCode, exitCode);
        if (log !== undefined) assert.match(delivery.log, log);
        await network.session.market.approve(leaseId);
        const { money } = await network.untilDetail(taskId, (detail) => detail.lease.status === "Settled");
        assert.equal(money.gross + money.released, money.reserved);
      });
    }

    it("an image that does not exist: no node takes the task, and cancelling returns everything", async () => {
      const network = get();
      const image = `localhost/nothing@sha256:${"00".repeat(32)}`;
      const { taskId, reserved } = await network.submit(taskFile({ image, command: ["true"] }));
      const { market } = network.session;
      const seconds = 8n;
      for (;;) {
        const { lease, task } = await market.taskDetail(taskId);
        assert.equal(lease.status, "Open", "no node takes it");
        if ((await market.head()).timestamp > task.createdAt + seconds) break;
        await sleep(200);
      }
      await market.cancel(taskId);
      const { money } = await network.untilDetail(taskId, ({ lease }) => lease.status === "Cancelled");
      assert.equal(money.gross, 0n);
      assert.equal(money.released, reserved);
    });

    it("an output that fills up: the task is warned in its log before it is too large", async () => {
      const network = get();
      const write = "dd if=/dev/zero of=/output/most bs=1024 count=900 2>/dev/null; sleep 13";
      const { taskId, leaseId } = await network.submit(taskFile({ command: script(write), maxSize: "1Mi" }));
      await network.untilStatus(taskId, ["Completed"]);
      const { log, output } = await network.fetch(taskId);
      assert.match(log, /^dekuper: \/output holds 9\d\d KiB of the 1024 KiB/m);
      assert.ok(output.has("most"));
      await network.session.market.approve(leaseId);
    });

    it("hostile entries in /output are left out and listed; the rest arrives", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({
          command: script(
            "cd /output; echo good > good; ln -s /etc/passwd link; ln good hard; mkfifo pipe; touch \"$(printf 'new\\nline')\"; mkdir -p a/b; echo deep > a/b/c",
          ),
        }),
      );
      await network.untilStatus(taskId, ["Completed"]);
      const delivery = await network.fetch(taskId);
      assert.equal(delivery.output.get("a/b/c"), "deep\n");
      assert.ok(delivery.output.has("good") || delivery.output.has("hard"));
      assert.ok(!delivery.output.has("link") && !delivery.output.has("pipe"));
      assert.ok(delivery.skipped.length >= 3, JSON.stringify(delivery.skipped));
      await network.session.market.approve(leaseId);
    });
  });
}
