import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { askOffers, collectQuotes, type Offers, type QuoteQuestion } from "@dekuper/client";
import {
  DekuperError,
  isDekuperError,
  orderHash,
  type QuoteAnswer,
  type QuoteRequest,
} from "@dekuper/protocol";
import { type Address, zeroAddress } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { anOrder, aQuote, chainId, consumer, NOW, signed, taskRegistry } from "../../protocol/test/quotes.ts";
import { FakePeer } from "./fake-peer.ts";

const order = anOrder();
const now = async () => BigInt(NOW);

/** A market whose nodes answer as a test says. */
class Market {
  readonly peer = new FakePeer();
  readonly nodes: { address: Address; owner: Address; status: "Active" | "Draining" }[] = [];
  readonly asked: (readonly [node: Address, members: readonly number[]])[] = [];

  /** A node that quotes; `then` changes its answer. */
  node(
    rate: bigint,
    members: number,
    then: (answer: QuoteAnswer, request: QuoteRequest) => QuoteAnswer | Promise<QuoteAnswer> = (answer) =>
      answer,
  ): PrivateKeyAccount {
    const account = privateKeyToAccount(generatePrivateKey());
    this.add(account.address, async (request) => {
      this.asked.push([account.address, request.members]);
      return then(await honest(account, rate, members, request), request);
    });
    return account;
  }

  add(
    address: Address,
    answer?: (request: QuoteRequest, signal?: AbortSignal) => Promise<QuoteAnswer>,
  ): Address {
    this.nodes.push({ address, owner: address, status: "Active" });
    if (answer !== undefined) this.peer.quotes.set(address, answer);
    return address;
  }

  question(change: Partial<QuoteQuestion> = {}): QuoteQuestion {
    const { peer, nodes } = this;
    const envelope = { image: `ghcr.io/a/b@sha256:${"ab".repeat(32)}`, inputBytes: 0 };
    return { peer, nodes, deployment: { chainId, taskRegistry }, order, consumer, envelope, ...change };
  }

  async quotes() {
    return collectQuotes(this.question(), await askOffers(this.question()), now);
  }
}

async function honest(account: PrivateKeyAccount, rate: bigint, members: number, request: QuoteRequest) {
  const quotes = await Promise.all(
    request.members.slice(0, members).map((memberIndex) => {
      const of = {
        node: account.address,
        orderHash: orderHash(request.order),
        ratePerHour: rate,
        memberIndex,
      };
      return signed(aQuote(of), account);
    }),
  );
  return { offer: { ratePerHour: rate, startWindow: 120, members }, quotes };
}

const kinds = ({ declined }: Pick<Offers, "declined">) =>
  Object.fromEntries(declined.map(({ node, kind, reason }) => [node, [kind, reason]]));

describe("asking for offers", () => {
  it("asks every node, has nothing signed, and lists the cheapest first", async () => {
    const market = new Market();
    const [dear, cheap] = [market.node(3n, 1), market.node(2n, 5)];
    const { offers, declined } = await askOffers(market.question());
    assert.deepEqual(
      offers.map(({ node, ratePerHour, members }) => [node, ratePerHour, members]),
      [
        [cheap.address, 2n, 5],
        [dear.address, 3n, 1],
      ],
    );
    assert.deepEqual(declined, []);
    assert.deepEqual(new Set(market.asked.map(([, members]) => members.length)), new Set([0]));
  });

  it("keeps why each other node made none", async () => {
    const market = new Market();
    const at = (index: number): Address => `0x${index.toString(16).padStart(40, "0")}`;
    const values = { needs: "H100", has: "A100" };
    const fails = (code: "TIMED_OUT" | "MESSAGE_INVALID") => async () => {
      throw new DekuperError(code, "No.");
    };
    market.add(at(1));
    market.add(at(2), () => new Promise(() => undefined));
    market.add(at(3), async () => ({ refused: { reason: "other-gpu-model", values } }));
    market.add(at(4), async () => ({
      refused: { reason: "rate-above-cap", values: { asks: "9", cap: "5" } },
    }));
    market.add(at(5), fails("TIMED_OUT"));
    market.add(at(6), fails("MESSAGE_INVALID"));
    market.node(order.ratePerHour + 1n, 1);
    market.nodes.push({ address: at(7), owner: zeroAddress, status: "Draining" });
    const found = await askOffers(market.question({ deadlineMs: 100 }));
    assert.deepEqual(found.offers, []);
    const { [market.asked[0]?.[0] ?? ""]: dear, ...others } = kinds(found);
    assert.deepEqual(dear, ["rate-above-cap", "rate-above-cap"]);
    assert.deepEqual(others, {
      [at(1)]: ["offline", `${at(1)} cannot be reached.`],
      [at(2)]: ["timed-out", "no answer in time"],
      [at(3)]: ["refused", "other-gpu-model"],
      [at(4)]: ["rate-above-cap", "rate-above-cap"],
      [at(5)]: ["refused", "No."],
      [at(6)]: ["invalid-answer", "No."],
      [at(7)]: ["not-active", "Draining"],
    });
    assert.deepEqual(found.declined.find(({ node }) => node === at(3))?.values, values);
  });

  it("asks no more nodes at a time than it may", async () => {
    const market = new Market();
    let running = 0;
    let most = 0;
    for (let index = 1; index <= 9; index++)
      market.add(privateKeyToAccount(generatePrivateKey()).address, async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running -= 1;
        return { refused: { reason: "stopping", values: {} } };
      });
    assert.equal((await askOffers(market.question({ parallel: 3 }))).declined.length, 9);
    assert.equal(most, 3);
  });

  it("ends when the caller no longer wants it", async () => {
    const market = new Market();
    const stop = new AbortController();
    market.add(consumer, () => new Promise(() => stop.abort(new Error("enough"))));
    await assert.rejects(askOffers(market.question({ signal: stop.signal })), /enough/);
  });

  it("is not begun for an order that no contract takes", () =>
    assert.rejects(askOffers(new Market().question({ order: anOrder({ leases: 0 }) })), {
      code: "ORDER_INVALID",
    }));
});

describe("collecting quotes", () => {
  it("has only the chosen nodes sign, each for its own leases, and knows what it costs", async () => {
    const market = new Market();
    const [cheap, dear] = [market.node(1_000_000n, 2), market.node(2_000_000n, 5)];
    market.node(3_000_000n, 5);
    const got = await market.quotes();
    assert.deepEqual(
      got.quotes.map(({ quote }) => [quote.memberIndex, quote.node]),
      [
        [0, cheap.address],
        [1, cheap.address],
        [2, dear.address],
      ],
    );
    assert.deepEqual(market.asked.slice(3), [
      [cheap.address, [0, 1]],
      [dear.address, [2]],
    ]);
    assert.equal(got.ratePerHour, 4_000_000n);
    // 300 and 600 seconds of an hour, each lease's share rounded up.
    assert.equal(got.reserved, 83_334n * 2n + 166_667n);
    assert.equal(got.atMost, 166_667n * 2n + 333_334n);
    assert.equal(got.expiry, BigInt(NOW + 120));
  });

  it("places anew what a node no longer takes, and keeps what others have signed", async () => {
    const market = new Market();
    const gone = market.node(1n, 1, (answer, { members }) =>
      members.length === 0 ? answer : { refused: { reason: "no-free-capacity", values: {} } },
    );
    const fewer = market.node(2n, 2, (answer, { members }) =>
      members.length === 0 || "refused" in answer
        ? answer
        : { offer: { ...answer.offer, members: 1 }, quotes: answer.quotes.slice(0, 1) },
    );
    const last = market.node(3n, 5);
    const got = await market.quotes();
    assert.deepEqual(
      got.placements.map(({ node, members }) => [node, members.length]),
      [
        [fewer.address, 1],
        [last.address, 2],
      ],
    );
    assert.deepEqual(kinds(got), { [gone.address]: ["refused", "no-free-capacity"] });
  });

  it("does not pay what a node asks only once it was chosen", async () => {
    const market = new Market();
    const bait = market.node(1n, 5, (answer, { members }) => {
      if (members.length === 0 || "refused" in answer) return answer;
      return { offer: { ...answer.offer, ratePerHour: 5n }, quotes: answer.quotes };
    });
    const steady = market.node(2n, 5);
    const got = await market.quotes();
    assert.deepEqual(
      got.placements.map(({ node }) => node),
      [steady.address],
    );
    assert.deepEqual(kinds(got), { [bait.address]: ["invalid-quote", "other-rate"] });
  });

  const spoilt: [what: string, reason: string, spoil: (answer: QuoteAnswer) => QuoteAnswer][] = [
    ["somebody else's signature", "signature", (answer) => change(answer, { ratePerHour: 1n }, 1n)],
    ["another consumer", "other-consumer", (answer) => change(answer, { consumer: zeroAddress })],
    ["another lease", "other-member", (answer) => change(answer, { memberIndex: 7 })],
    ["an expiry that has passed", "expired", (answer) => change(answer, { expiry: BigInt(NOW) })],
    [
      "one lease twice",
      "a lease is quoted twice",
      (answer) =>
        "refused" in answer ? answer : { ...answer, quotes: [...answer.quotes, ...answer.quotes] },
    ],
    [
      "no quote",
      "nothing was signed",
      (answer) => ("refused" in answer ? answer : { ...answer, quotes: [] }),
    ],
  ];
  for (const [what, reason, spoil] of spoilt)
    it(`leaves a node out that signs ${what}`, async () => {
      const market = new Market();
      const liar = market.node(2n, 5, (answer, { members }) =>
        members.length === 0 ? answer : spoil(answer),
      );
      const honestNode = market.node(3n, 5);
      const got = await market.quotes();
      assert.deepEqual(
        got.placements.map(({ node }) => node),
        [honestNode.address],
      );
      assert.deepEqual(kinds(got), { [liar.address]: ["invalid-quote", reason] });
    });

  it("gives a node up that changes its offer each time that it is to sign", async () => {
    const market = new Market();
    const fickle = market.node(1n, 5, async (answer, { members }) => {
      if (members.length === 0 || "refused" in answer) return answer;
      const { length } = market.asked;
      return { offer: { ...answer.offer, members: length % 2 ? 5 : 3 }, quotes: answer.quotes.slice(0, 1) };
    });
    market.node(2n, 1);
    const result = await market.quotes().catch((error: unknown) => error);
    assert.ok(isDekuperError(result, "NO_NODE_FITS"));
    assert.ok(market.asked.filter(([node]) => node === fickle.address).length <= 4);
  });

  it("says what is missing when the offers do not cover the order", async () => {
    const market = new Market();
    market.node(1n, 2);
    market.add(consumer);
    await assert.rejects(market.quotes(), {
      code: "NO_NODE_FITS",
      message: "Nodes offer 2 of 3 leases: offline (1).",
    });
  });
});

function change(answer: QuoteAnswer, to: object, ratePerHour?: bigint): QuoteAnswer {
  if ("refused" in answer) return answer;
  return {
    offer: { ...answer.offer, ...(ratePerHour === undefined ? {} : { ratePerHour }) },
    quotes: answer.quotes.map(({ quote, signature }) => ({ quote: { ...quote, ...to }, signature })),
  };
}
