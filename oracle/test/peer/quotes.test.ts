import assert from "node:assert/strict";
import { after, afterEach, before, describe, it, type TestContext } from "node:test";
import { askOffers, collectQuotes, type QuoteQuestion } from "@dekuper/client";
import { createNodeClientPeer } from "@dekuper/client/node";
import { type ClientPeer, createClientPeer } from "@dekuper/client/peer";
import { encodeQuoteRequest, isDekuperError, type QuoteRequest, quoteProblem } from "@dekuper/protocol";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { AcceptFacts } from "../../src/plan/accept.ts";
import { aQuoteDesk } from "../daemon/desk.ts";
import { anAccepter, anOrder, aSpec, T0 } from "../plan/builders.ts";
import {
  consumer,
  deployment,
  Registry,
  startTestNode,
  type TestNode,
  type TestNodeOptions,
} from "./market.ts";
import { startStranger } from "./stranger.ts";

const registry = new Registry();
const nodes: TestNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
  registry.nodes.clear();
});

/** A real peer before a real quote desk; what its chain and cluster say is the test's. */
async function aNode(
  t: TestContext,
  facts: Partial<AcceptFacts>,
  limits: NonNullable<TestNodeOptions["limits"]> = {},
) {
  const key = generatePrivateKey();
  const at = aQuoteDesk(t, { account: privateKeyToAccount(key), deployment });
  at.world.node = anAccepter({ maxLeases: 64, ...facts });
  const node = await startTestNode({ registry, key, quotes: at.desk, limits });
  nodes.push(node);
  return { ...node, ...at };
}

const rate = (perVCpuHour: bigint) => ({ posted: { perGpuHour: 0n, perVCpuHour } });
const room = (vCpus: number) => ({ available: { gpus: 0, vCpus, memoryMiB: 65_536n } });
const now = async () => BigInt(T0);
const envelope = { image: aSpec().image, inputBytes: 0 };

const kinds: [kind: string, create: () => ClientPeer][] = [
  ["a browser's", () => createClientPeer({ deployment, directory: registry })],
  ["the command's", () => createNodeClientPeer({ deployment, directory: registry })],
];

for (const [kind, create] of kinds)
  describe(`${kind} peer that asks the market for quotes`, () => {
    const peer = create();
    before(() => peer.start());
    after(() => peer.stop());

    const question = (change: Partial<QuoteQuestion> = {}): QuoteQuestion => ({
      peer,
      deployment,
      nodes: registry.all().map(({ node }) => ({ address: node, owner: node, status: "Active" })),
      order: anOrder({ leases: 3 }),
      consumer: consumer.address,
      envelope,
      deadlineMs: 20_000,
      ...change,
    });

    it("has a gang's leases signed by the cheapest that have room, and learns why the others do not quote", async (t) => {
      const cheap = await aNode(t, { ...rate(100n), ...room(2) });
      const middle = await aNode(t, { ...rate(200n), ...room(16) });
      await aNode(t, { ...rate(300n), ...room(16) });
      const draining = await aNode(t, { ...rate(1n), status: "Draining" });
      const dear = await aNode(t, rate(10n ** 9n));
      const gone = registry.register(generatePrivateKey(), [
        "/ip4/127.0.0.1/tcp/1/ws",
        "/ip4/127.0.0.1/tcp/1",
      ]);
      const offers = await askOffers(question());
      const got = await collectQuotes(question(), offers, now);
      assert.deepEqual(
        got.placements.map(({ node, members, ratePerHour }) => [node, members, ratePerHour]),
        [
          [cheap.node, [0], 200n],
          [middle.node, [1, 2], 400n],
        ],
      );
      assert.deepEqual(
        new Map(got.declined.map(({ node, kind, reason }) => [node, `${kind}: ${reason}`])).size,
        3,
      );
      const why = (node: string) => got.declined.find((decline) => decline.node === node);
      assert.equal(why(draining.node)?.reason, "not-active");
      assert.deepEqual(why(dear.node)?.values, { asks: "2000000000", cap: "2000000" });
      assert.equal(why(gone.node)?.kind, "offline");
      const { order } = question();
      for (const [index, signed] of got.quotes.entries()) {
        const { node } = signed.quote;
        const expected = {
          ...deployment,
          node,
          consumer: consumer.address,
          order,
          members: [index],
          now: T0,
        };
        assert.equal(await quoteProblem(signed, expected), undefined);
      }
      assert.equal(middle.journal.live(T0).length, 2);
    });

    it("does not get a share twice: the second consumer is told that it is taken", async (t) => {
      const node = await aNode(t, { ...rate(100n), ...room(6) });
      await collectQuotes(question(), await askOffers(question()), now);
      const other = { consumer: privateKeyToAccount(generatePrivateKey()).address };
      const { offers, declined } = await askOffers(question(other));
      assert.deepEqual(offers, []);
      assert.deepEqual(
        declined.map(({ node, reason, values }) => [node, reason, values.what]),
        [[node.node, "no-free-capacity", "vCpus"]],
      );
      assert.equal(
        (await askOffers(question())).offers[0]?.members,
        3,
        "who has the quotes is offered them again",
      );
    });

    it("finds no quote channel on a node that serves none", async () => {
      nodes.push(await startTestNode({ registry }));
      const { declined } = await askOffers(question());
      assert.deepEqual(
        declined.map(({ kind }) => kind),
        ["offline"],
      );
    });
  });

describe("a node that is asked for quotes by strangers", () => {
  const request = (change: Partial<QuoteRequest> = {}): QuoteRequest => ({
    version: 1,
    order: anOrder(),
    consumer: consumer.address,
    members: [],
    envelope,
    ...change,
  });
  const codesOf = async (t: TestContext, node: TestNode, requests: readonly QuoteRequest[]) => {
    const stranger = await startStranger();
    t.after(() => stranger.stop());
    const codes: unknown[] = [];
    for (const asked of requests) {
      const answer = await stranger.ask(node, "quote", encodeQuoteRequest(asked));
      codes.push(answer?.ok === true ? "offer" : answer?.code);
    }
    return codes;
  };
  const times = (count: number, asked = request()) => Array.from({ length: count }, () => asked);
  const another = () => request({ consumer: privateKeyToAccount(generatePrivateKey()).address });

  it("answers one host only so often, whatever peers and consumers it names", async (t) => {
    const node = await aNode(t, {}, { quoteBurst: 3, quotesPerSecond: 0.001 });
    assert.deepEqual(await codesOf(t, node, times(2)), ["offer", "offer"]);
    assert.deepEqual(await codesOf(t, node, [another(), another()]), ["offer", "TIMED_OUT"]);
  });

  it("counts what it has to sign", async (t) => {
    const node = await aNode(t, room(2), { quoteBurst: 4, quotesPerSecond: 0.001 });
    const members = Array.from({ length: 24 }, (_, index) => index);
    const large = request({ order: anOrder({ leases: 24 }), members });
    assert.deepEqual(await codesOf(t, node, [large, request()]), ["offer", "TIMED_OUT"]);
  });

  it("answers for one consumer only so often, and goes on for others", async (t) => {
    const node = await aNode(t, {}, { consumerQuoteBurst: 1, consumerQuotesPerSecond: 0.001 });
    assert.deepEqual(await codesOf(t, node, [...times(2), another()]), ["offer", "TIMED_OUT", "offer"]);
  });

  it("works on only so many at a time, and queues none", async (t) => {
    const node = await aNode(t, {}, { quotesAtATime: 1 });
    const asked = Promise.withResolvers<void>();
    const answered = Promise.withResolvers<void>();
    const { quote } = node.desk;
    node.desk.quote = async (...of) => {
      asked.resolve();
      await answered.promise;
      return quote.apply(node.desk, of);
    };
    const first = codesOf(t, node, [request()]);
    await asked.promise;
    assert.deepEqual(await codesOf(t, node, [another()]), ["TIMED_OUT"]);
    answered.resolve();
    assert.deepEqual(await first, ["offer"]);
  });

  it("refuses what is not a request, and answers the next", async (t) => {
    const node = await aNode(t, {});
    const stranger = await startStranger();
    t.after(() => stranger.stop());
    for (const bytes of [
      "{}",
      "[",
      JSON.stringify({ ...JSON.parse(`${Buffer.from(encodeQuoteRequest(request()))}`), x: 1 }),
    ]) {
      const answer = await stranger.ask(node, "quote", Buffer.from(bytes));
      assert.equal(answer?.code, "MESSAGE_INVALID");
    }
    assert.deepEqual(await codesOf(t, node, [request()]), ["offer"]);
  });

  it("tells the client that it is busy, and not that it is gone", async (t) => {
    const node = await aNode(t, {}, { quoteBurst: 0, quotesPerSecond: 0 });
    const peer = createNodeClientPeer({ deployment, directory: registry });
    await peer.start();
    t.after(() => peer.stop());
    await assert.rejects(peer.askQuote(node.node, request()), (error) => isDekuperError(error, "TIMED_OUT"));
  });
});
