import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  concat,
  encodeAbiParameters,
  hashDomain,
  hashTypedData,
  keccak256,
  numberToHex,
  parseAbiParameters,
  parseSignature,
  recoverTypedDataAddress,
  serializeSignature,
  stringToBytes,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import {
  canonicalJson,
  decodeQuoteAnswer,
  encodeQuoteAnswer,
  encodeQuoteRequest,
  isDekuperError,
  MAX_HEADER_BYTES,
  MAX_QUOTE_ANSWER_BYTES,
  type Order,
  orderHash,
  orderProblem,
  type Quote,
  type QuoteExpectation,
  quoteProblem,
  quoteRequestSchema,
  quoteTypedData,
  taskDomain,
} from "../src/index.ts";
import { anOrder, aQuote, aRequest, chainId, consumer, NOW, node, signed, taskRegistry } from "./quotes.ts";

const expectation = (change: Partial<QuoteExpectation> = {}): QuoteExpectation => ({
  chainId,
  taskRegistry,
  node: node.address,
  consumer,
  order: anOrder(),
  members: [0, 2],
  now: NOW,
  ...change,
});

describe("a quote's hashes", () => {
  it("are the contract's: the struct's ABI encoding behind its type hash, in the TaskRegistry's domain", () => {
    const quote = aQuote();
    const type =
      "Quote(address node,address consumer,bytes32 orderHash,uint32 memberIndex,uint128 ratePerHour,uint32 startWindow,uint64 expiry,uint256 nonce,uint8 verification)";
    const struct = keccak256(
      encodeAbiParameters(
        parseAbiParameters("bytes32,address,address,bytes32,uint32,uint128,uint32,uint64,uint256,uint8"),
        [
          keccak256(stringToBytes(type)),
          quote.node,
          quote.consumer,
          quote.orderHash,
          quote.memberIndex,
          quote.ratePerHour,
          quote.startWindow,
          quote.expiry,
          quote.nonce,
          quote.verification,
        ],
      ),
    );
    const domain = hashDomain({
      domain: { ...taskDomain(chainId, taskRegistry), chainId: BigInt(chainId) },
      types: {
        EIP712Domain: [
          { name: "name", type: "string" },
          { name: "version", type: "string" },
          { name: "chainId", type: "uint256" },
          { name: "verifyingContract", type: "address" },
        ],
      },
    });
    assert.equal(
      hashTypedData(quoteTypedData(chainId, taskRegistry, quote)),
      keccak256(concat(["0x1901", domain, struct])),
    );
  });

  it("cover every field of the order", () => {
    const other: { [Field in keyof Order]: Order[Field] } = {
      specDigest: `0x${"00".repeat(32)}`,
      leases: 4,
      threshold: 1,
      maxAttempts: 1,
      isPrivate: false,
      gpus: 2,
      gpuModel: "",
      vCpus: 5,
      memoryMiB: 1n,
      storageMiB: 1n,
      isolation: 2,
      maxDuration: 601,
      fundedSeconds: 301,
      ratePerHour: 1n,
      startWindow: 121,
      failoverAfter: 61,
      openUntil: 1n,
      verification: 1,
    };
    const hashes = Object.entries(other).map(([field, value]) => orderHash(anOrder({ [field]: value })));
    assert.equal(new Set([...hashes, orderHash(anOrder())]).size, 19);
  });
});

describe("a consumer that gets a quote", () => {
  it("takes what it asked for, signed by the node", async () =>
    assert.equal(await quoteProblem(await signed(aQuote()), expectation()), undefined));

  const stranger = privateKeyToAccount(`0x${"33".repeat(32)}`);
  const wrong: [problem: string, quote: Partial<Quote>, expected?: Partial<QuoteExpectation>][] = [
    ["other-node", { node: stranger.address }],
    ["other-consumer", { consumer: stranger.address }],
    ["other-order", {}, { order: anOrder({ ratePerHour: 4_500_000n }) }],
    ["other-member", { memberIndex: 1 }],
    ["other-verification", { verification: 1 }],
    ["rate-above-cap", { ratePerHour: 5_000_001n }],
    ["rate-above-cap", { ratePerHour: 0n }],
    ["start-window", { startWindow: 121 }],
    ["start-window", { startWindow: 0 }],
    ["expired", { expiry: BigInt(NOW) }],
    ["expiry-too-late", { expiry: BigInt(NOW + 331) }],
    ["signature", {}, { chainId: 1 }],
    ["signature", {}, { taskRegistry: consumer }],
  ];
  for (const [problem, quote, expected] of wrong)
    it(`finds ${problem}: ${Object.keys({ ...quote, ...expected }).join()}`, async () =>
      assert.equal(await quoteProblem(await signed(aQuote(quote)), expectation(expected)), problem));

  it("finds a signature of somebody else's, and one that is none", async () => {
    assert.equal(await quoteProblem(await signed(aQuote(), stranger), expectation()), "signature");
    const broken = { quote: aQuote(), signature: `0x${"ff".repeat(65)}` } as const;
    assert.equal(await quoteProblem(broken, expectation()), "signature");
  });

  it("finds signatures that recover, but that the contract's library refuses: the twin, and one with another recovery id", async () => {
    const { quote, signature } = await signed(aQuote());
    const { r, s, yParity } = parseSignature(signature);
    const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
    const twin = serializeSignature({
      r,
      s: numberToHex(order - BigInt(s), { size: 32 }),
      yParity: 1 - yParity,
    });
    assert.equal(
      await recoverTypedDataAddress({ ...quoteTypedData(chainId, taskRegistry, quote), signature: twin }),
      node.address,
    );
    const short = `0x${signature.slice(2, 130)}0${yParity}` as const;
    for (const refused of [twin, short] as const)
      assert.equal(await quoteProblem({ quote, signature: refused }, expectation()), "signature");
  });
});

describe("an order", () => {
  it("is one that the contract may take", () => {
    assert.equal(orderProblem(anOrder()), undefined);
    const wrong: Partial<Order>[] = [
      { leases: 0 },
      { leases: 65 },
      { maxAttempts: 0 },
      { maxAttempts: 4 },
      { vCpus: 0 },
      { memoryMiB: 0n },
      { ratePerHour: 0n },
      { startWindow: 0 },
      { maxDuration: 0 },
      { fundedSeconds: 0 },
      { fundedSeconds: 601 },
      { gpus: 0 },
      { threshold: 1 },
    ];
    for (const change of wrong) assert.ok(orderProblem(anOrder(change)), JSON.stringify(Object.keys(change)));
  });

  it("of a quorum needs more than half of its replicas alike, and no more than all", () => {
    const quorum = (leases: number, threshold: number) =>
      orderProblem(anOrder({ verification: 1, leases, threshold, maxAttempts: 1 })) === undefined;
    const good = [1, 2, 3, 4].flatMap((leases) =>
      [0, 1, 2, 3, 4, 5].filter((threshold) => quorum(leases, threshold)).map((k) => `${k} of ${leases}`),
    );
    assert.deepEqual(good, ["1 of 1", "2 of 2", "2 of 3", "3 of 3", "3 of 4", "4 of 4"]);
    const again = anOrder({ verification: 1, leases: 3, threshold: 2, maxAttempts: 2 });
    assert.match(orderProblem(again) ?? "", /maxAttempts is 1/);
  });
});

describe("messages about quotes", () => {
  const wire = (change: (message: Record<string, never>) => void = () => undefined) => {
    const message = JSON.parse(Buffer.from(encodeQuoteRequest(aRequest())).toString());
    change(message);
    return quoteRequestSchema.safeParse(message);
  };

  it("carry a request over the wire and back, amounts as digits", () => {
    assert.deepEqual(wire().data, aRequest());
    assert.ok(encodeQuoteRequest(aRequest()).length < MAX_HEADER_BYTES);
    const all = Array.from({ length: 64 }, (_, index) => index);
    const largest = aRequest({ order: anOrder({ leases: 64 }), members: all });
    assert.ok(encodeQuoteRequest(largest).length < MAX_HEADER_BYTES);
  });

  const broken: [what: string, change: (message: never) => void][] = [
    ["another version", (message: { version: number }) => (message.version = 2)],
    ["a field that is not known", (message: { more: number }) => (message.more = 1)],
    ["a lease twice", (message: { members: number[] }) => (message.members = [1, 1])],
    ["a lease that the order has not", (message: { members: number[] }) => (message.members = [3])],
    [
      "an amount with a sign",
      (message: { order: { ratePerHour: string } }) => (message.order.ratePerHour = "-1"),
    ],
    [
      "an amount as a number",
      (message: { order: { ratePerHour: number } }) => (message.order.ratePerHour = 1),
    ],
    [
      "an amount above its type",
      (message: { order: { ratePerHour: string } }) => (message.order.ratePerHour = `${2n ** 128n}`),
    ],
    ["an order that nobody takes", (message: { order: { leases: number } }) => (message.order.leases = 0)],
    ["a consumer that is no address", (message: { consumer: string }) => (message.consumer = "0x1234")],
    [
      "an image of a kilobyte",
      (message: { envelope: { image: string } }) => (message.envelope.image = "i".repeat(1024)),
    ],
  ];
  for (const [what, change] of broken)
    it(`refuse a request with ${what}`, () => assert.equal(wire(change as never).success, false));

  it("carry an offer with its quotes, and the largest fits the bound", async () => {
    const offer = { ratePerHour: 2n ** 128n - 1n, startWindow: 2 ** 32 - 1, members: 64 };
    const largest = { ratePerHour: 2n ** 128n - 1n, expiry: 2n ** 64n - 1n, nonce: 2n ** 256n - 1n };
    const quotes = await Promise.all(
      Array.from({ length: 64 }, (_, memberIndex) => signed(aQuote({ ...largest, memberIndex }))),
    );
    const bytes = encodeQuoteAnswer({ offer, quotes });
    assert.ok(bytes.length <= MAX_QUOTE_ANSWER_BYTES, `${bytes.length}`);
    assert.deepEqual(decodeQuoteAnswer(bytes), { offer, quotes });
  });

  it("carry a refusal with its reason and the values that decided", () => {
    const refused = { reason: "other-gpu-model", values: { needs: "H100", has: "A100" } };
    assert.deepEqual(decodeQuoteAnswer(encodeQuoteAnswer({ refused })), { refused });
  });

  it("carry a failure as every channel has it", () => {
    const failure = { code: "TIMED_OUT", message: "busy" };
    assert.deepEqual(decodeQuoteAnswer(canonicalJson({ ok: false, ...failure })), failure);
  });

  it("refuse an answer that would write on a terminal, or that is none", () => {
    for (const answer of [
      { ok: true, refused: { reason: "\u001b[2J", values: {} } },
      { ok: true, refused: { reason: "full", values: { needs: "\u001b[2J" } } },
      { ok: true },
      { ok: true, offer: { ratePerHour: "1", startWindow: 1, members: 0 }, quotes: [] },
    ])
      assert.throws(
        () => decodeQuoteAnswer(canonicalJson(answer)),
        (error) => isDekuperError(error, "MESSAGE_INVALID"),
      );
  });
});
