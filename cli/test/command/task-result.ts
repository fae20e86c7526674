import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import type { Hex } from "viem";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";
import { order, short } from "./orders.ts";

const LOG = "line 1\nline 2\n";

/** A task that runs: its log, its output, and the pay. */
export function taskResult(get: () => MarketFixture): void {
  describe("a running task", () => {
    let id: Hex;
    before(async () => {
      id = await order(get());
      await get().node.begin(id, "line 1\n");
    });

    it("shows its log so far", async () => {
      const { stdout, stderr, code } = await get().run(["task", "logs", short(id)]);
      assert.equal(code, 0);
      assert.equal(stdout, "line 1\n");
      assert.match(stderr, /^log from node 0x\w{4}…\w{4}$/m);
    });

    it("keeps its log from others", async () => {
      const stranger = await get().chain.account(0);
      await expectError(
        get(),
        ["task", "logs", id],
        { code: "READ_DENIED", message: /./ },
        { env: { DEKUPER_PRIVATE_KEY: stranger.key } },
      );
    });

    it("follows the log to the end of the run", async () => {
      const following = get().start(["task", "logs", short(id), "-f"]);
      await following.shows(/line 1/);
      await get().node.finish(id, { files: { "answer.txt": "42\n", "logs/a b.txt": "" }, log: LOG });
      const { stdout, code } = await following.ended;
      assert.equal(code, 0);
      assert.equal(stdout, LOG);
    });
  });

  describe("a finished task", () => {
    let id: Hex;
    before(async () => {
      id = await order(get());
      const { chain, node } = get();
      await node.begin(id, LOG);
      await chain.control.increaseTime({ seconds: 30 });
      await chain.control.mine({ blocks: 1 });
      await node.finish(id, { files: { "answer.txt": "42\n", "deep/er/b.bin": "xyz" }, log: LOG });
    });

    it("is Completed, with how it ended, until when the output is kept, and what to do", async () => {
      const { stdout } = await get().runHere(["task", "show", id]);
      assert.match(stdout, /^status +Completed, Success \(exit code 0\)$/m);
      assert.match(stdout, /^output +[\d.]+ \w+, kept until \d{4}-/m);
      assert.match(stdout, / {2}LeaseCompleted +Success +\d+ /m);
      assert.match(stdout, /^due +0\.0\d+ dUSD for \d+s, when the window ends or you approve$/m);
      assert.ok(
        stdout.includes(`next: dekuper task fetch ${short(id)}\n      dekuper task approve ${short(id)}\n`),
        stdout,
      );
    });

    it("hands over its whole log as JSON", async () => {
      const ran = await get().runHere(["task", "logs", id, "--json"]);
      assert.deepEqual(ran.json(), { taskId: id, member: 0, log: LOG });
    });

    it("is fetched, decrypted and checked against the attestation", async () => {
      const { run, stateDir } = get();
      const { stdout, code } = await run(["task", "fetch", short(id)]);
      assert.equal(code, 0);
      assert.match(stdout, /^outcome +Success \(exit code 0\)$/m);
      assert.match(stdout, /^verified +every file and the log are as node 0x\w{40} attested$/m);
      assert.match(stdout, /^ {2}answer\.txt {5}3 B\n {2}deep\/er\/b\.bin {2}3 B$/m);
      assert.ok(stdout.includes(`next: dekuper task approve ${short(id)}\n`));
      const folder = join(stateDir, `hello-${id.slice(2, 10)}`);
      assert.equal(await readFile(join(folder, "output", "answer.txt"), "utf8"), "42\n");
      assert.equal(await readFile(join(folder, "output", "deep", "er", "b.bin"), "utf8"), "xyz");
    });

    it("never replaces a folder unless told to, and says what is in it as JSON", async () => {
      const { runHere, stateDir } = get();
      const to = join(stateDir, "result");
      const args = ["task", "fetch", id, "--to", to];
      const fetched = (await runHere([...args, "--json"])).json<{
        verified: boolean;
        outputPath: string;
        logPath: string;
        files: { path: string }[];
        attestation: { primaryType: string };
        signature: string;
      }>();
      assert.equal(fetched.verified, true);
      assert.equal(fetched.attestation.primaryType, "OutputAttestation");
      assert.match(fetched.signature, /^0x[0-9a-f]{130}$/);
      assert.deepEqual(
        fetched.files.map(({ path }) => path),
        ["answer.txt", "deep/er/b.bin"],
      );
      assert.equal(await readFile(fetched.logPath, "utf8"), LOG);
      await expectError(get(), args, { code: "PATH_INVALID", message: /exists/, hint: /--force/ });
      assert.equal((await runHere([...args, "--force"])).code, 0);
    });

    it("is for its consumer only, and leaves nothing where it is refused", async () => {
      const { chain, stateDir } = get();
      const stranger = await chain.account(0);
      await expectError(
        get(),
        ["task", "fetch", id, "--to", join(stateDir, "stolen")],
        { code: "READ_DENIED", message: /./ },
        { env: { DEKUPER_PRIVATE_KEY: stranger.key } },
      );
      assert.ok(!(await readdir(stateDir)).some((name) => name.startsWith("stolen")));
    });

    it("is approved by its own consumer only", async () => {
      const stranger = await get().chain.account(1);
      await expectError(
        get(),
        ["task", "approve", id],
        { code: "NOT_ALLOWED", message: /is not the task's consumer/ },
        { env: { DEKUPER_PRIVATE_KEY: stranger.key } },
      );
    });

    it("is paid at once when it is approved", async () => {
      const { stdout, code } = await get().run(["task", "approve", short(id)]);
      assert.equal(code, 0);
      assert.match(
        stdout,
        /^Paid 0\.00\d+ dUSD \(0\.000\d+ dUSD of it fee\); 0\.\d+ dUSD are free again\.$/m,
      );
      const shown = (await get().runHere(["task", "show", id, "--json"])).json<{
        lease: { status: string };
        money: { reserved: string; gross: string; released: string };
      }>();
      assert.equal(shown.lease.status, "Settled");
      const { reserved, gross, released } = shown.money;
      assert.equal(BigInt(reserved), BigInt(gross) + BigInt(released));
      await expectError(get(), ["task", "approve", id], {
        code: "WRONG_STATE",
        message: /the lease is Settled/,
      });
    });

    it("appears at the node that ran it", async () => {
      const { node, runHere } = get();
      const listed = await runHere(["task", "list", "--node", node.node, "--json"]);
      assert.ok(listed.json<{ taskId: string }[]>().some(({ taskId }) => taskId === id));
      const { stdout } = await runHere(["node", "status", node.node, "--offline"]);
      assert.match(stdout, new RegExp(`^${id} {2}Settled +\\d+s `, "m"));
    });
  });

  describe("a task that failed by itself", () => {
    it("shows its exit code, and is fetched like any other", async () => {
      const { node, runHere, stateDir } = get();
      const id = await order(get());
      await node.begin(id, LOG);
      await node.finish(id, { files: {}, log: LOG, outcome: "NonZeroExit", exitCode: 3 });
      assert.match(
        (await runHere(["task", "show", id])).stdout,
        /^status +Completed, NonZeroExit \(exit code 3\)$/m,
      );
      const { stdout, code } = await runHere(["task", "fetch", id, "--to", join(stateDir, "failed")]);
      assert.equal(code, 0);
      assert.match(stdout, /^outcome +NonZeroExit \(exit code 3\)$/m);
    });
  });

  describe("cancelling a running task", () => {
    it("asks first, then stops the clock and leaves the rest to the node", async () => {
      const { node, runHere } = get();
      const id = await order(get());
      await node.begin(id, LOG);
      await expectError(get(), ["task", "cancel", id], { code: "USAGE", message: /asks for a confirmation/ });
      const { stdout, code } = await runHere(["task", "cancel", id, "--yes"]);
      assert.equal(code, 0);
      assert.match(stdout, /^The clock has stopped\. The node ends the run, and attests what there is\.$/m);
      assert.ok(stdout.includes(`next: dekuper task show ${short(id)}\n`));
    });
  });
}
