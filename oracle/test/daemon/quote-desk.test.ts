import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Order, type QuoteRequest, quoteProblem } from "@dekuper/protocol";
import { privateKeyToAccount } from "viem/accounts";
import { anAccepter, anOrder, aSpec, T0 } from "../plan/builders.ts";
import { deployment, hex, leaseId } from "./builders.ts";
import { aQuoteDesk } from "./desk.ts";

const account = privateKeyToAccount(hex("11"));
const consumer = privateKeyToAccount(hex("22")).address;
const another = privateKeyToAccount(hex("33")).address;

const aRequest = (change: Partial<QuoteRequest> = {}, order: Partial<Order> = {}): QuoteRequest => ({
  version: 1,
  order: anOrder(order),
  consumer,
  members: [0],
  envelope: { image: aSpec().image, inputBytes: 0 },
  ...change,
});

/** `aQuoteDesk` with room for two leases of `anOrder`, asked from one host. */
function aDesk(t: TestContext) {
  const at = aQuoteDesk(t, { account, deployment });
  at.world.node = anAccepter({ available: { gpus: 0, vCpus: 4, memoryMiB: 65_536n }, maxLeases: 64 });
  const quote = (change?: Partial<QuoteRequest>, order?: Partial<Order>) =>
    at.desk.quote(aRequest(change, order), "host:10.0.0.1");
  const reason = async (...request: Parameters<typeof quote>) => {
    const answer = await quote(...request);
    return "refused" in answer ? answer.refused.reason : answer;
  };
  const signs = async (...request: Parameters<typeof quote>) => {
    const answer = await quote(...request);
    assert.ok("offer" in answer, "refused" in answer ? answer.refused.reason : "");
    return answer.quotes;
  };
  return { ...at, quote, reason, signs };
}

describe("the quote desk", () => {
  it("signs what a consumer can use, for the leases that it named", async (t) => {
    const { signs } = aDesk(t);
    const order = { leases: 5 };
    const quotes = await signs({ members: [4, 1] }, order);
    const { chainId, taskRegistry } = deployment;
    const expected = {
      chainId,
      taskRegistry,
      node: account.address,
      consumer,
      order: anOrder(order),
      now: T0,
    };
    for (const [index, member] of [4, 1].entries()) {
      const quote = quotes[index];
      assert.ok(quote);
      assert.equal(await quoteProblem(quote, { ...expected, members: [member] }), undefined);
      assert.equal(quote.quote.ratePerHour, 2_000_000n);
      assert.equal(quote.quote.expiry, BigInt(T0 + 120));
    }
    assert.equal((quotes[1]?.quote.nonce ?? 0n) - (quotes[0]?.quote.nonce ?? 0n), 1n);
  });

  it("has written a quote down before it signs it", async (t) => {
    const { signs, journal, world } = aDesk(t);
    const written: number[] = [];
    world.onSign = () => written.push(journal.live(T0).length);
    await signs({ members: [0, 1] }, { leases: 2 });
    assert.deepEqual(written, [2, 2]);
  });

  it("signs and holds nothing for who only wants an offer", async (t) => {
    const { quote, journal } = aDesk(t);
    const answer = await quote({ members: [] }, { leases: 9 });
    assert.deepEqual(answer, {
      offer: { ratePerHour: 2_000_000n, startWindow: 120, members: 2 },
      quotes: [],
    });
    assert.deepEqual(journal.live(T0), []);
  });

  it("does not promise the same share twice, until a quote has expired", async (t) => {
    const { signs, reason, world } = aDesk(t);
    await signs({ members: [0, 1] }, { leases: 2 });
    assert.equal(await reason({ consumer: another }), "no-free-capacity");
    assert.equal(await reason({}, { specDigest: hex("0e") }), "no-free-capacity");
    world.head.timestamp = T0 + 121;
    assert.equal((await signs({ consumer: another })).length, 1);
  });

  it("does not promise it twice to those who ask at the same time either", async (t) => {
    const { quote } = aDesk(t);
    const answers = await Promise.all(
      Array.from({ length: 5 }, (_, index) => quote({}, { specDigest: hex(`0${index + 1}`) })),
    );
    assert.equal(answers.filter((answer) => "offer" in answer).length, 2);
  });

  it("replaces what it quoted to the same consumer for the same order", async (t) => {
    const { signs, journal } = aDesk(t);
    await signs({ members: [0, 1] }, { leases: 3 });
    assert.equal((await signs({ members: [1, 2] }, { leases: 3 })).length, 2);
    assert.deepEqual(
      journal.live(T0).map(({ memberIndex }) => memberIndex),
      [1, 2],
    );
  });

  it("counts what was awarded once: by the chain, and no longer as a quote", async (t) => {
    const { signs, reason, attempts, world } = aDesk(t);
    const order = anOrder({ leases: 1 });
    await signs({ members: [0] });
    attempts.open({ leaseId, attempt: 1, taskId: hex("44"), consumer, order });
    world.node = { ...world.node, available: { gpus: 0, vCpus: 2, memoryMiB: 65_536n } };
    assert.equal(await reason({ consumer: another }), "no-free-capacity");
    world.nowMs += 1_000;
    assert.equal((await signs({ consumer: another })).length, 1);
    assert.equal(await reason({}, { specDigest: hex("0e") }), "no-free-capacity");
  });

  it("bounds what one host may have it hold, and still tells it what it would ask", async (t) => {
    const { signs, quote, world } = aDesk(t);
    world.node = anAccepter({ available: { gpus: 0, vCpus: 4_000, memoryMiB: 2n ** 40n }, maxLeases: 4_000 });
    const members = Array.from({ length: 64 }, (_, index) => index);
    for (const fill of ["01", "02", "03", "04"])
      assert.equal((await signs({ members }, { leases: 64, specDigest: hex(fill) })).length, 64);
    const refused = { refused: { reason: "too-many-quotes", values: {} } };
    assert.deepEqual(await quote({}, { specDigest: hex("05") }), refused);
    assert.ok("offer" in (await quote({ members: [] }, { specDigest: hex("05") })));
  });

  it("looks at the chain once for the requests of a second", async (t) => {
    const { quote, world } = aDesk(t);
    await Promise.all([quote(), quote(), quote()]);
    assert.equal(world.looks, 1);
    world.nowMs += 1_000;
    await quote();
    assert.equal(world.looks, 2);
  });

  it("asks for an image only where the rest fits, and refuses what is not there or not answered", async (t) => {
    const { reason, world } = aDesk(t);
    assert.equal(await reason({}, { ratePerHour: 1n }), "rate-above-cap");
    assert.equal(world.imagesAsked, 0);
    world.image = { kind: "unfit", problem: "image-not-found", retrySeconds: 1 };
    assert.equal(await reason(), "image-not-found");
    world.image = { kind: "unknown", retrySeconds: 1 };
    assert.equal(await reason(), "image-not-checked");
    assert.equal(world.imagesAsked, 2);
  });

  it("quotes nothing while the chain cannot be read, and tries again", async (t) => {
    const { reason, signs, world } = aDesk(t);
    world.unreadable = true;
    assert.equal(await reason(), "chain-unreadable");
    world.unreadable = false;
    assert.equal((await signs()).length, 1);
  });

  it("goes on above what its operator has cancelled, whose quotes hold nothing any more", async (t) => {
    const { signs, reason, journal, world } = aDesk(t);
    const [before] = await signs({ members: [0, 1] }, { leases: 2 });
    assert.equal(await reason({ consumer: another }), "no-free-capacity");
    for (const ahead of [2n, 12_345n, 2n ** 37n + 5n]) {
      world.voidBelow = journal.nextNonce + ahead;
      world.nowMs += 1_000;
      const [quote] = await signs({ consumer: another, members: [0, 1] }, { leases: 2 });
      assert.equal(quote?.quote.nonce, world.voidBelow);
      assert.ok(world.voidBelow > (before?.quote.nonce ?? 0n));
    }
  });

  it("holds what it has quoted where one nonce after it is cancelled ahead of its time", async (t) => {
    const { signs, journal, world } = aDesk(t);
    const [before] = await signs();
    world.voided = journal.nextNonce;
    world.nowMs += 1_000;
    const [quote] = await signs({ consumer: another });
    assert.equal(quote?.quote.nonce, (before?.quote.nonce ?? 0n) + 2n);
    assert.deepEqual(journal.liveNonces(T0), [before?.quote.nonce, quote?.quote.nonce]);
  });

  it("signs nothing where its operator has cancelled all that is to come", async (t) => {
    const { signs, reason, quote, world } = aDesk(t);
    await signs();
    world.voidBelow = 2n ** 256n - 1n;
    world.nowMs += 1_000;
    assert.equal(await reason(), "quotes-cancelled");
    assert.ok("offer" in (await quote({ members: [] })));
  });

  it("gives nothing out that was being signed when it had to stop signing", async (t) => {
    const { reason, world } = aDesk(t);
    world.onSign = () => {
      world.node = { ...world.node, maySign: false };
    };
    assert.equal(await reason(), "signing-stopped");
  });
});
