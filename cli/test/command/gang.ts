import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { leaseId } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";
import { order, short, TASK } from "./orders.ts";

/** Tasks of several leases, and leases that are lost. */
export function gang(get: () => MarketFixture): void {
  const log = (member: number) => `member ${member}\n`;

  describe("a task on two nodes", () => {
    let id: Hex;
    const leases = () => [leaseId(id, 0), leaseId(id, 1)] as const;
    before(async () => {
      id = await order(get(), { text: `${TASK}nodes: 2\nfund: 5m\n` });
    });

    it("waits for all of its members, and says so of each", async () => {
      await get().node.begin(leases()[0], log(0));
      const { stdout } = await get().runHere(["task", "show", id]);
      assert.match(stdout, /^status +Assigned \(being prepared\), 1 of 2$/m);
      assert.match(stdout, /^ +0 +0x\w{4}…\w{4} +1 of 3 +Waiting \(waiting for the others to start\) /m);
      assert.match(stdout, /^ +1 +0x\w{4}…\w{4} +1 of 3 +Assigned \(being prepared\) /m);
      const list = await get().runHere(["task", "list"]);
      assert.match(list.stdout, new RegExp(`^${short(id)}… {2}hello +Assigned 1/2 `, "m"));
    });

    it("runs when the last has started", async () => {
      await get().node.begin(leases()[1], log(1));
      const shown = (await get().runHere(["task", "show", id, "--json"])).json<{
        state: string;
        leases: { state: string; index: number; attempt: number }[];
        gang: { running: number };
        timeline: { name: string; member?: number }[];
      }>();
      assert.equal(shown.state, "Running");
      assert.deepEqual(
        shown.leases.map(({ state, index, attempt }) => ({ state, index, attempt })),
        [
          { state: "Running", index: 0, attempt: 1 },
          { state: "Running", index: 1, attempt: 1 },
        ],
      );
      assert.equal(shown.gang.running, 2);
      assert.equal(shown.timeline.find(({ name }) => name === "GangStarted")?.member, undefined);
      assert.equal(shown.timeline.findLast(({ name }) => name === "LeaseStarted")?.member, 1);
    });

    it("is funded for longer by a top-up, on both nodes, and never for longer than its duration", async () => {
      const { runHere } = get();
      const { stdout } = await runHere(["task", "top-up", short(id), "--for", "3m", "--yes"]);
      assert.match(stdout, /^reserved +0\.1 dUSD$/m);
      assert.match(stdout, /^funded +8m of 10m$/m);
      await expectError(get(), ["task", "top-up", id, "--for", "3m", "--yes"], {
        code: "USAGE",
        message: /--for: got 3m, expected at most 2m: it is funded for 8m of 10m\./,
      });
      await expectError(get(), ["task", "top-up", id, "--for", "long"], {
        code: "USAGE",
        message: /1h or 90m/,
      });
    });

    it("shows the log of the member that is asked for", async () => {
      const { runHere } = get();
      assert.equal((await runHere(["task", "logs", id])).stdout, log(0));
      assert.equal((await runHere(["task", "logs", id, "--member", "1"])).stdout, log(1));
      await expectError(get(), ["task", "logs", id, "--member", "2"], {
        code: "USAGE",
        message: /--member: got 2, expected 0 to 1\./,
      });
    });

    it("is not failed over while its nodes are online, nor expired before its time", async () => {
      await expectError(get(), ["task", "failover", id], { code: "WRONG_STATE", message: /is not offline/ });
      await expectError(get(), ["task", "expire", id, "--member", "1"], {
        code: "WRONG_STATE",
        message: /that is possible after/,
      });
      await expectError(get(), ["task", "lapse-claim", id], { code: "WRONG_STATE", message: /running/i });
    });

    it("is fetched member by member, each into a folder of its own", async () => {
      const { node, chain, runHere, stateDir } = get();
      await chain.control.increaseTime({ seconds: 30 });
      await chain.control.mine({ blocks: 1 });
      for (const [member, lease] of leases().entries())
        await node.finish(lease, { files: { "who.txt": `${member}` }, log: log(member) });
      const to = join(stateDir, "both");
      const fetched = (await runHere(["task", "fetch", id, "--to", to, "--json"])).json<{
        members: { member: number; outputPath: string; verified: boolean }[];
        missing: unknown[];
      }>();
      assert.deepEqual(fetched.missing, []);
      for (const [at, { member, outputPath, verified }] of fetched.members.entries()) {
        assert.deepEqual(
          { member, outputPath, verified },
          {
            member: at,
            outputPath: join(to, `member-${at}`, "output"),
            verified: true,
          },
        );
        assert.equal(await readFile(join(outputPath, "who.txt"), "utf8"), `${at}`);
      }
      const one = join(stateDir, "one");
      assert.equal((await runHere(["task", "fetch", id, "--member", "1", "--to", one])).code, 0);
      assert.equal(await readFile(join(one, "output", "who.txt"), "utf8"), "1");
    });

    it("is paid member by member, or all at once", async () => {
      const { runHere } = get();
      const first = await runHere(["task", "approve", id, "--member", "0", "--json"]);
      assert.equal(first.json<{ state: string }>().state, "Completed");
      const { stdout } = await runHere(["task", "approve", id]);
      assert.match(stdout, /^Paid 0\.01\d+ dUSD /m);
      const shown = (await runHere(["task", "show", id, "--json"])).json<{
        state: string;
        money: { reserved: string; gross: string; released: string };
      }>();
      assert.equal(shown.state, "Settled");
      const { reserved, gross, released } = shown.money;
      assert.equal(BigInt(reserved), BigInt(gross) + BigInt(released));
    });
  });

  describe("a task whose node gives it up", () => {
    it("looks for another node, from the last checkpoint", async () => {
      const { node, runHere, chain } = get();
      const id = await order(get());
      await node.begin(id, log(0));
      await chain.control.increaseTime({ seconds: 5 });
      await node.checkpoint(leaseId(id, 0), 1, 3n);
      await node.fail(leaseId(id, 0), 1, "drained");
      const { stdout } = await runHere(["task", "show", id]);
      assert.match(stdout, /^status +Reopened \(looking for another node\)$/m);
      assert.match(stdout, / {2}LeaseFailed +drained /);
      assert.match(stdout, / {2}AttemptLost +by 0x/);
      assert.match(stdout, / {2}LeaseReopened +from step 3 /);
      assert.match(stdout, /^paid +0\.00\d+ dUSD for \d+s/m);
      const list = await runHere(["task", "list"]);
      assert.match(list.stdout, new RegExp(`^${short(id)}… {2}hello +Reopened +- `, "m"));
      assert.equal((await runHere(["task", "cancel", id])).code, 0);
    });

    it("ends with it where it may have one attempt only", async () => {
      const { node, runHere } = get();
      const id = await order(get(), { text: `${TASK}attempts: 1\n` });
      await node.begin(id, log(0));
      await node.fail(leaseId(id, 0), 1, "drained");
      assert.match((await runHere(["task", "show", id])).stdout, /^status +Failed \(given up\)$/m);
    });
  });
}
