import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { attestationDigest } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";
import { order, short, TASK } from "./orders.ts";

const LOG = "line 1\n";
/** The local network's. */
const CHALLENGE_WINDOW = 20;
const ANSWER_WINDOW = 30;

/** Receipts, and claims that there was nothing to receive. */
export function claims(get: () => MarketFixture): void {
  const pass = async (seconds: number) => {
    const { control } = get().chain;
    await control.increaseTime({ seconds });
    await control.mine({ blocks: 1 });
  };
  const completed = async () => {
    const { node } = get();
    const id = await order(get());
    await node.begin(id, LOG);
    await pass(10);
    return { id, attestation: await node.finish(id, { files: { "answer.txt": "42\n" }, log: LOG }) };
  };

  describe("a receipt", () => {
    const fetchTo = (id: Hex, folder: string, ...more: string[]) =>
      get().runHere(["task", "fetch", id, "--to", join(get().stateDir, folder), ...more]);

    it("is given to the node with the fetch, for exactly what it attested", async () => {
      const { id, attestation } = await completed();
      const { stdout, code } = await fetchTo(id, "with-receipt");
      assert.equal(code, 0);
      assert.match(stdout, /^receipt +given to the node: it proves that you have the result$/m);
      const { leaseId, attempt } = attestation;
      const given = get().node.receipts.find((receipt) => receipt.leaseId === leaseId);
      assert.equal(given?.attempt, attempt);
      assert.equal(given?.attestationDigest, attestationDigest(attestation));
    });

    it("is not given by who does not want to, and the fetch and the approval are as without", async () => {
      const { id, attestation } = await completed();
      const fetched = await fetchTo(id, "no-receipt", "--no-receipt", "--json");
      assert.deepEqual(fetched.json<{ receipt: unknown }>().receipt, { kind: "declined" });
      assert.ok(!get().node.receipts.some(({ leaseId }) => leaseId === attestation.leaseId));
      assert.equal((await get().runHere(["task", "approve", id])).code, 0);
      const paid = await fetchTo(id, "paid", "--json");
      assert.deepEqual(paid.json<{ receipt: unknown }>().receipt, { kind: "not-needed" });
    });
  });

  describe("task claim", () => {
    let id: Hex;
    before(async () => {
      id = (await completed()).id;
    });

    it("asks first, with the bond and for how long it is at risk", async () => {
      await expectError(get(), ["task", "claim", id], { code: "USAGE", message: /asks for a confirmation/ });
    });

    it("is its own consumer's", async () => {
      const stranger = await get().chain.account(100);
      const options = { env: { DEKUPER_PRIVATE_KEY: stranger.key } };
      assert.equal((await get().runHere(["account", "deposit", "5 dUSD"], options)).code, 0);
      await expectError(
        get(),
        ["task", "claim", id, "--yes"],
        { code: "NOT_ALLOWED", message: /is not the task's consumer/ },
        options,
      );
    });

    it("says what is at risk, until when, and what each end means", async () => {
      const { stdout, code } = await get().runHere(["task", "claim", id, "--yes"]);
      assert.equal(code, 0);
      assert.match(stdout, /^bond +1 dUSD, at risk until the claim is decided$/m);
      assert.match(stdout, /^answered by +\d{4}-\d\d-\d\d/m);
      assert.match(stdout, /^delivered +your receipt, or .* the node has the bond and its pay$/m);
      assert.match(stdout, /^withheld +.* the node is not paid, the bond comes back$/m);
      assert.match(stdout, /^no verdict +as if never raised/m);
      assert.ok(stdout.includes(`next: dekuper task show ${short(id)}\n`), stdout);
    });

    it("freezes the lease, which says so and what it waits for", async () => {
      const { stdout } = await get().runHere(["task", "show", id]);
      assert.match(stdout, /^status +Disputed \(delivery disputed\), Success \(exit code 0\)$/m);
      assert.match(stdout, /^claim +not delivered, raised \d{4}-.* with a bond of 1 dUSD; answered by /m);
      assert.match(stdout, /^answered by +\d{4}-/m);
      assert.match(stdout, / {2}UndeliveredClaimed +answered by \d{4}-/m);
      assert.match(stdout, / {2}BondPosted +1 dUSD /m);
      assert.match(stdout, /^due +0\.0\d+ dUSD for 1\ds, once the claim is answered or lapses/m);
      await expectError(get(), ["task", "approve", id], {
        code: "WRONG_STATE",
        message: /the lease is Disputed/,
      });
      await expectError(get(), ["task", "claim", id, "--yes"], {
        code: "WRONG_STATE",
        message: /The lease is Disputed .*: only a result that is attested and not yet paid for is claimed/,
      });
      const fetched = await get().runHere([
        "task",
        "fetch",
        id,
        "--to",
        join(get().stateDir, "disputed"),
        "--json",
      ]);
      assert.deepEqual(fetched.json<{ receipt: unknown }>().receipt, { kind: "declined" });
      const { stdout: statement } = await get().runHere(["account", "statement"]);
      assert.match(statement, /Bond posted/);
    });

    it("without an answer is ended by anyone, who then has the node paid", async () => {
      await expectError(get(), ["task", "lapse-claim", id], {
        code: "WRONG_STATE",
        message: /that is possible after/,
      });
      await pass(ANSWER_WINDOW + 1);
      const lapsed = await get().runHere(["task", "lapse-claim", id]);
      assert.equal(lapsed.code, 0);
      assert.match(lapsed.stdout, /^The lease is Completed now\.$/m);
      const { stdout } = await get().runHere(["task", "show", id]);
      assert.match(stdout, / {2}ClaimLapsed +without a verdict /m);
      assert.match(stdout, / {2}BondReturned +1 dUSD /m);
      assert.equal((await get().runHere(["task", "settle", id])).code, 0);
    });

    it("comes too late after the window, and too early before the end", async () => {
      const early = await order(get());
      await get().node.begin(early, LOG);
      await expectError(get(), ["task", "claim", early, "--yes"], {
        code: "WRONG_STATE",
        message: /The lease is Running: only a result that is attested/,
      });
      await get().node.finish(early, { files: {}, log: LOG });
      await pass(CHALLENGE_WINDOW + 1);
      await expectError(get(), ["task", "claim", early, "--yes"], {
        code: "WRONG_STATE",
        message: /Its window ended at \d{4}.*, the chain's clock is \d{4}.*: a claim comes too late/,
      });
      await expectError(get(), ["task", "claim", id, "--yes"], {
        code: "WRONG_STATE",
        message: /The lease is Settled/,
      });
    });

    it("needs its bond free in escrow", async () => {
      const { chain, runHere, node, write } = get();
      const poor = await chain.account(1);
      const options = { env: { DEKUPER_PRIVATE_KEY: poor.key } };
      assert.equal((await runHere(["account", "deposit", "0.5 dUSD"], options)).code, 0);
      const file = await write("poor.yaml", TASK);
      const ran = await runHere(["task", "submit", file, "--yes", "--json"], options);
      const { taskId } = ran.json<{ taskId: Hex }>();
      await node.begin(taskId, LOG);
      await node.finish(taskId, { files: {}, log: LOG });
      const error = await expectError(
        get(),
        ["task", "claim", taskId, "--yes"],
        { code: "INSUFFICIENT_FUNDS", message: /A claim puts 1 dUSD at risk; 0x\w+ has 0\.\d+ dUSD free/ },
        options,
      );
      assert.equal(error.details.bond, "1000000");
    });
  });
}
