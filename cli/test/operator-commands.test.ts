/** What owners and operators do beside running a node, by command, against a real chain. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { attestationTypedData, quoteNonceAfter } from "@dekuper/client";
import type { OutputAttestation } from "@dekuper/protocol";
import { taskRegistryAbi } from "@dekuper/protocol";
import { type Address, type Hex, recoverTypedDataAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { aChainOrder } from "../../client/test/chain-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { type ChainFixture, startCommandsOnChain } from "./command/commands-on-chain.ts";
import { expectError } from "./command/expect-error.ts";

describe("owners and operators", () => {
  let market: ChainFixture;
  let provider: TestProvider;
  before(async () => {
    market = await startCommandsOnChain();
    provider = await startTestProvider(market.chain);
  });
  after(() => market?.stop());
  const asOwner = () => ({ env: { DEKUPER_PRIVATE_KEY: provider.ownerKey } });
  const asOperator = () => ({ env: { DEKUPER_PRIVATE_KEY: provider.operatorKey } });

  describe("node cancel-quotes", () => {
    const isVoid = (nonce: bigint) =>
      provider.market.publicClient.readContract({
        address: market.chain.network.deployment.taskRegistry,
        abi: taskRegistryAbi,
        functionName: "isQuoteVoid",
        args: [provider.node, nonce],
      });

    it("says that the owner's key is the wrong one, and sends nothing", async () => {
      await expectError(
        market,
        ["node", "cancel-quotes", "--below", "5"],
        { code: "NOT_ALLOWED", message: /owns 0x\w{40}, but quotes are cancelled by the operator's key/ },
        asOwner(),
      );
      assert.equal(await isVoid(4n), false);
    });

    it("voids single quotes, all below a nonce, and all that were signed up to now", async () => {
      const { operatorKey } = provider;
      const single = await market.as(operatorKey, "node", "cancel-quotes", "7", "9", "--json");
      assert.equal(single.code, 0, single.stdout);
      assert.deepEqual(await Promise.all([7n, 8n, 9n].map(isVoid)), [true, false, true]);
      const below = await market.as(operatorKey, "node", "cancel-quotes", "--below", "100");
      assert.match(below.stdout, /with a nonce below 100 can be used any more\.$/m);
      assert.deepEqual(await Promise.all([99n, 100n].map(isVoid)), [true, false]);
      const all = await market.as(operatorKey, "node", "cancel-quotes", "--all", "--json");
      const bound = BigInt(all.json<{ below: string }>().below);
      // What a daemon signs follows the clock (`QuoteJournal`): the next second's are good again.
      const signed = BigInt(Math.floor(Date.now() / 1000) - 60) << 20n;
      assert.deepEqual(await Promise.all([signed, bound - 1n, bound].map(isVoid)), [true, true, false]);
      assert.ok(bound <= quoteNonceAfter((await provider.market.head()).timestamp));
    });

    it("wants to know which, and none that could not be signed yet", async () => {
      await expectError(market, ["node", "cancel-quotes"], { code: "USAGE", message: /Which quotes/ });
      const far = `${1n << 60n}`;
      const tooFar = {
        code: "USAGE",
        message: /--below: got 1152921504606846976, expected at most \d+,/,
      } as const;
      await expectError(market, ["node", "cancel-quotes", "--below", far], tooFar, asOperator());
      await expectError(
        market,
        ["node", "cancel-quotes", "x1"],
        { code: "USAGE", message: /nonces: got "x1", expected a whole number/ },
        asOperator(),
      );
    });

    it("says of a quote that is void already that it is", async () => {
      await expectError(
        market,
        ["node", "cancel-quotes", "7"],
        { code: "TRANSACTION_REVERTED", message: /a quote of node 0x\w{40} has been used or withdrawn/ },
        asOperator(),
      );
    });
  });

  describe("node bid", () => {
    it("locks stake for a seat, raises the bid, and takes it back", async () => {
      const { ownerKey, node } = provider;
      const placed = await market.as(ownerKey, "node", "bid", "100");
      assert.equal(placed.code, 0, placed.stderr);
      assert.match(placed.stdout, /bids 100 dUSD; the highest bids get seats when the epoch ends/);
      assert.equal((await provider.market.node(node)).stake.locked, 100_000_000n);
      await expectError(
        market,
        ["node", "bid", "90"],
        { code: "WRONG_STATE", message: /90000000 base units were bid, at least 100000001 are needed/ },
        asOwner(),
      );
      const raised = await market.as(ownerKey, "node", "bid", "120", node, "--json");
      assert.equal(raised.json<{ bid: { amount: string } }>().bid.amount, "120000000");
      // It was placed in this epoch, so it stands in one election.
      const leaving = await market.as(ownerKey, "node", "withdraw-bid");
      assert.match(leaving.stdout, /leaves: the bid stands in one election more, and 120 dUSD stay locked/);
    });

    it("is the owner's, and of the node's free stake", async () => {
      await expectError(
        market,
        ["node", "bid", "130"],
        { code: "NOT_ALLOWED", message: /does not own node/ },
        asOperator(),
      );
      await expectError(
        market,
        ["node", "bid", "100000"],
        { code: "WRONG_STATE", message: /of the stake are not locked/ },
        asOwner(),
      );
      const other = await startTestProvider(market.chain);
      await expectError(
        market,
        ["node", "withdraw-bid"],
        { code: "WRONG_STATE", message: /has no bid/ },
        { env: { DEKUPER_PRIVATE_KEY: other.ownerKey } },
      );
    });
  });

  describe("node migrate", () => {
    let moved: TestProvider;
    let next: Address;
    before(async () => {
      moved = await startTestProvider(market.chain);
      const operator = privateKeyToAccount(generatePrivateKey());
      ({ node: next } = await moved.market.registerNode(operator, aProfile()));
    });
    const asItsOwner = () => ({ env: { DEKUPER_PRIVATE_KEY: moved.ownerKey } });

    it("moves all stake to the owner's other node, and says what is needed there", async () => {
      await expectError(
        market,
        ["node", "migrate", next],
        { code: "USAGE", message: /asks for a confirmation/ },
        asItsOwner(),
      );
      const { stdout, code, stderr } = await market.as(moved.ownerKey, "node", "migrate", next, "--yes");
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^${next} has 200 dUSD staked; 100 dUSD are needed\\.$`, "m"));
      assert.equal((await moved.market.node(moved.node)).stake.staked, 0n);
      assert.equal((await moved.market.node(next)).stake.staked, 200_000_000n);
    });

    it("names why stake stays: it moved lately, it is locked, it is the same node, it is somebody else's", async () => {
      const run = (
        args: string[],
        message: RegExp,
        code: "WRONG_STATE" | "NOT_ALLOWED" | "NOT_FOUND",
        owner = moved,
      ) =>
        expectError(
          market,
          ["node", "migrate", ...args, "--yes"],
          { code, message },
          { env: { DEKUPER_PRIVATE_KEY: owner.ownerKey } },
        );
      await run(
        [moved.node, next],
        /moved to or from node 0x\w{40} lately, and may move again after 20/,
        "WRONG_STATE",
      );
      await run([next, next], /is the same node/, "WRONG_STATE");
      await run([provider.node, next], /does not own node/, "NOT_ALLOWED");
      await run([provider.node], /owns no node beside/, "NOT_FOUND", provider);
      const operator = privateKeyToAccount(generatePrivateKey());
      const { node } = await provider.market.registerNode(operator, aProfile());
      await run([node, provider.node], /of the stake are not locked/, "WRONG_STATE", provider);
    });
  });

  describe("task report-equivocation", () => {
    let first: { attestation: OutputAttestation; signature: Hex };
    let accused: TestProvider;
    let reporter: Hex;
    const sign = async (attestation: OutputAttestation, key: Hex) => ({
      attestation,
      signature: await privateKeyToAccount(key).signTypedData(
        attestationTypedData({ attestation, signature: "0x" }, market.chain.network.deployment),
      ),
    });
    before(async () => {
      accused = await startTestProvider(market.chain);
      const consumer = await market.chain.account(100);
      reporter = (await market.chain.account(0)).key;
      await consumer.market.deposit(50_000_000n);
      const { taskId, leaseId } = await consumer.market.createTask(await aChainOrder(consumer.market));
      await accused.accept(taskId);
      await accused.start(leaseId);
      const specDigest: Hex = `0x${"aa".repeat(32)}`;
      const attestation = await accused.complete({ taskId, leaseId, specDigest });
      first = await sign(attestation, accused.operatorKey);
    });
    const file = (name: string, content: unknown) =>
      market.write(
        name,
        JSON.stringify(content, (_, value) => (typeof value === "bigint" ? `${value}` : value)),
      );
    const report = (one: string, other: string) => ["task", "report-equivocation", one, other, "--yes"];
    const asReporter = () => ({ env: { DEKUPER_PRIVATE_KEY: reporter } });

    it("refuses before any gas: the same twice, another run, another signer, no attestation", async () => {
      const { attestation } = first;
      const one = await file("one.json", first);
      const other = (change: Partial<OutputAttestation>, key = accused.operatorKey) =>
        sign({ ...attestation, ...change }, key);
      const refused = async (
        content: unknown,
        message: RegExp,
        code: "ATTESTATION_INVALID" | "MESSAGE_INVALID",
      ) =>
        expectError(market, report(one, await file("other.json", content)), { code, message }, asReporter());
      await refused(first, /Both files hold the same attestation/, "ATTESTATION_INVALID");
      await refused(await other({ attempt: 2 }), /different runs: attempt is 1 and 2/, "ATTESTATION_INVALID");
      const stranger = await other({ exitCode: 1 }, reporter);
      await refused(
        stranger,
        /The second attestation is signed by 0x\w{40}, attempt 1 was node/,
        "ATTESTATION_INVALID",
      );
      await refused(
        { ...first, signature: "0x12" },
        /other\.json: signature: got "0x12", expected 0x and 130/,
        "MESSAGE_INVALID",
      );
      const long = { ...first, attestation: { ...attestation, exitCode: 2 ** 31 } };
      await refused(
        long,
        /other\.json: exitCode: got 2147483648, expected a whole number of 32 bits/,
        "MESSAGE_INVALID",
      );
      await refused([], /other\.json: taskId: got nothing/, "MESSAGE_INVALID");
      assert.equal((await accused.market.node(accused.node)).stake.staked, 200_000_000n);
    });

    it("takes the lock of a node that signed two results, and pays the reporter its fifth", async () => {
      const one = await file("one.json", first);
      const second = await sign({ ...first.attestation, exitCode: 1 }, accused.operatorKey);
      // As `task show --json` prints it, and as `task fetch --json` does.
      const typed = attestationTypedData(second, market.chain.network.deployment);
      const two = await file("two.json", { attestation: typed, signature: second.signature });
      assert.equal(await recoverTypedDataAddress({ ...typed, signature: second.signature }), accused.node);
      const ran = await market.as(reporter, ...report(one, two), "--json");
      assert.equal(ran.code, 0, ran.stdout);
      const { slashed, reward, lock } = ran.json<{ slashed: string; reward: string; lock: string }>();
      assert.equal(slashed, lock);
      assert.equal(BigInt(reward), BigInt(slashed) / 5n);
      const account = privateKeyToAccount(reporter).address;
      assert.equal((await accused.market.account(account)).free, BigInt(reward));
      assert.equal((await accused.market.node(accused.node)).stake.staked, 200_000_000n - BigInt(slashed));
      await expectError(
        market,
        report(one, two),
        { code: "WRONG_STATE", message: /has been proven already/ },
        asReporter(),
      );
    });
  });
});
