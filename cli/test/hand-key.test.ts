/** `dekuper task hand-key`: a private task's key for further nodes (rule 11). */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { createMarket, deriveOutputKey, type OutputKey, signerOf, walletClientOf } from "@dekuper/client";
import { nodeEncryptionKey } from "@dekuper/protocol";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { type Address, getAddress, type Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { freePort } from "../../client/test/chain.ts";
import { awardPrivately } from "../../client/test/private-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { expectError } from "./command/expect-error.ts";
import { order, short, TASK } from "./command/orders.ts";
import { type MarketFixture, startMarket } from "./market-fixture.ts";
import type { Ran } from "./run-command.ts";

const brief = (address: Address) => `${address.slice(0, 6)}…${address.slice(-4)}`;

interface Handed {
  readonly taskId: Hex;
  readonly handed: readonly { readonly node: Address; readonly keyVersion: number }[];
  readonly already: readonly { readonly node: Address; readonly isCurrent: boolean }[];
  readonly sent: { readonly hash: Hex } | null;
}

describe("dekuper task hand-key", () => {
  let market: MarketFixture;
  let key: OutputKey;
  let standby: TestProvider;
  let third: TestProvider;
  before(async () => {
    market = await startMarket();
    const { chain, consumer } = market;
    key = await deriveOutputKey(signerOf(privateKeyToAccount(consumer.key)), chain.network.deployment);
    standby = await startTestProvider(chain);
    third = await startTestProvider(chain);
    assert.equal((await market.runHere(["account", "deposit", "500", "--yes"])).code, 0);
  });
  after(() => market?.stop());

  /** Ordered as the consumer's, with the key of its wallet unless another is given. */
  const award = async (by: Pick<OutputKey, "identity"> = key) => {
    const { chain, consumer, node } = market;
    const { network } = chain;
    const walletClient = walletClientOf(network, privateKeyToAccount(consumer.key));
    const own = { market: createMarket({ network, walletClient }), address: consumer.address };
    return awardPrivately(own, by, [node], {
      standbys: [standby.node],
    });
  };
  const hand = (...args: string[]): Promise<Ran> => market.runHere(["task", "hand-key", ...args, "--yes"]);

  it("hands the key to those who lack it, says who had it, and task show says who has it", async () => {
    const { taskId } = await award();
    const before = await market.runHere(["task", "show", taskId]);
    const both = `${brief(market.node.node)}, ${brief(standby.node)}`;
    assert.match(before.stdout, new RegExp(`^keys +${both}$`, "m"));

    const handed = await hand(short(taskId), third.node.toLowerCase(), standby.node);
    assert.equal(handed.code, 0, handed.stdout + handed.stderr);
    assert.match(handed.stdout, new RegExp(`^handed to +${third.node} \\(encryption key 1\\)$`, "m"));
    assert.match(handed.stdout, new RegExp(`^had it already +${standby.node} \\(encryption key 1\\)$`, "m"));
    assert.match(handed.stdout, /^0x[0-9a-f]{64} {2}block \d+ {2}gas /m);
    assert.match(handed.stdout, new RegExp(`^next: dekuper task show ${short(taskId)}`, "m"));
    const after = await market.runHere(["task", "show", taskId]);
    assert.match(after.stdout, new RegExp(`^keys +${both}, ${brief(third.node)}$`, "m"));

    assert.ok(!after.stdout.includes("hand-key"));

    const again = await hand(taskId, third.node);
    assert.match(again.stdout, /^Nothing was sent: 1 node had the key\.$/m);
    const json = (await hand(taskId, third.node, "--json")).json<Handed>();
    assert.deepEqual([json.taskId, json.handed, json.sent], [taskId, [], null]);
    assert.deepEqual(
      json.already.map(({ node, isCurrent }) => [node, isCurrent]),
      [[third.node, true]],
    );
    const anew = (await hand(taskId, third.node, "--again", "--json")).json<Handed>();
    assert.deepEqual([anew.handed, anew.already], [[{ node: third.node, keyVersion: 1 }], []]);
  });

  it("hands it again to a node with another encryption key, and task show tells the two apart", async () => {
    const { taskId } = await award();
    const { node } = standby;
    const encryptionKey = nodeEncryptionKey(standby.operatorKey, 2);
    await standby.market.updateProfile(node, aProfile({ encryptionKey }));
    const shown = async () =>
      (await market.runHere(["task", "show", taskId, "--json"])).json<{
        keyHolders: { node: Address; keyVersion: number; currentVersion: number; isCurrent: boolean }[];
      }>().keyHolders[1];
    const { stdout } = await market.runHere(["task", "show", taskId]);
    assert.match(stdout, new RegExp(`, ${brief(node)} \\(for an older encryption key\\)$`, "m"));
    assert.deepEqual(await shown(), {
      node,
      keyVersion: 1,
      currentVersion: 2,
      isCurrent: false,
      status: "Active",
    });
    const { handed, sent } = (await hand(taskId, node, "--json")).json<Handed>();
    assert.deepEqual(handed, [{ node, keyVersion: 2 }]);
    assert.match(sent?.hash ?? "", /^0x[0-9a-f]{64}$/);
    assert.equal((await shown())?.isCurrent, true);
  });

  it("is what task show names while a private task looks for another node", async () => {
    const { taskId, leaseId } = await award();
    await market.node.fail(leaseId, 1, "drained");
    const { stdout } = await market.runHere(["task", "show", taskId]);
    assert.match(stdout, new RegExp(`dekuper task hand-key ${short(taskId)} NODE`));
  });

  it("asks first, and sends nothing where nobody says yes", async () => {
    const { taskId } = await award();
    const refused = { code: "USAGE", message: /asks for a confirmation/, hint: /--yes/ } as const;
    await expectError(market, ["task", "hand-key", taskId, third.node], refused);
    const { stdout } = await market.runHere(["task", "show", taskId]);
    assert.ok(!stdout.includes(brief(third.node)));
  });

  it("takes the age key that the task was submitted with, and no other key", async () => {
    const identity = await generateX25519Identity();
    const file = await market.write("age.key", `# ${await identityToRecipient(identity)}\n${identity}\n`);
    const { taskId } = await award({ identity });
    const other = {
      code: "READ_DENIED",
      message: /^The key of task 0x[0-9a-f]{64} was not made with this output key\.$/,
      hint: /Use the wallet, or the --age-key file/,
    } as const;
    await expectError(market, ["task", "hand-key", taskId, third.node, "--yes"], other);
    const { handed } = (await hand(taskId, third.node, "--age-key", file, "--json")).json<Handed>();
    assert.deepEqual(handed, [{ node: third.node, keyVersion: 1 }]);
  });

  it("says what is wrong before anything is paid for", async () => {
    const { taskId } = await award();
    const command = (...nodes: string[]) => ["task", "hand-key", taskId, ...nodes, "--yes"];
    await expectError(market, command(), { code: "USAGE", message: /Missing required argument 'node'/ });
    await expectError(market, command(third.node, "0x12"), { code: "USAGE", message: /"0x12"/ });
    const nobody = getAddress(`0x${"7".repeat(40)}`);
    await expectError(market, command(nobody), { code: "NOT_FOUND", message: new RegExp(nobody) });
    const retired = await startTestProvider(market.chain);
    await retired.market.revokeOperator(retired.node);
    await expectError(market, command(retired.node), { code: "WRONG_STATE", message: /it is retired/ });
    const publicId = await order(market, { text: TASK });
    await expectError(market, ["task", "hand-key", publicId, third.node, "--yes"], {
      code: "WRONG_STATE",
      message: /it is public, and needs no key/,
    });
    const stranger = await market.chain.account(1);
    await expectError(
      market,
      command(third.node),
      { code: "NOT_ALLOWED", message: /only its consumer hands its key over/ },
      { env: { DEKUPER_PRIVATE_KEY: stranger.key } },
    );
    const shown = (await market.runHere(["task", "show", publicId])).stdout;
    assert.ok(!/^keys /m.test(shown), "a public task has no key");
    assert.equal((await market.runHere(["task", "cancel", taskId, "--yes"])).code, 0);
    await expectError(market, command(third.node), { code: "WRONG_STATE", message: /it is Cancelled/ });
  });

  it("goes by a relay: a consumer without coin hands it over too", async (t) => {
    const { taskId } = await award();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const { key: relayer } = await market.chain.account(0);
    const relay = market.start(["relay", "--fee", "0.05", "--port", `${port}`], {
      env: { DEKUPER_PRIVATE_KEY: relayer },
    });
    t.after(() => relay.child.kill("SIGKILL"));
    await relay.shows(/^Listening on /m);
    const { address } = market.consumer;
    await market.chain.control.setBalance({ address, value: 0n });
    const { handed } = (await hand(taskId, third.node, "--relay", url, "--json")).json<Handed>();
    assert.deepEqual(handed, [{ node: third.node, keyVersion: 1 }]);
    await relay.shows(/carried, gas \d+/);
    await market.chain.control.setBalance({ address, value: 10n ** 18n });
  });
});
