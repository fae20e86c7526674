import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseRate } from "@dekuper/protocol";
import fc from "fast-check";
import { type Holds, planQuote, type QuoteAsk, type QuoteFacts } from "../../src/plan/quote.ts";
import { anAsk, anOrder, aQuoter, holdsNothing, T0 } from "./builders.ts";

const plan = (ask: Partial<QuoteAsk> = {}, node: Partial<QuoteFacts> = {}, now = T0 + 5) =>
  planQuote(anAsk(ask), aQuoter(node), now);

function refuses(reason: string, ask: Partial<QuoteAsk>, node: Partial<QuoteFacts> = {}): object {
  const refused = plan(ask, node);
  assert.equal(refused.kind === "refuse" && refused.reason, reason);
  return refused.kind === "refuse" ? refused.values : {};
}

function offers(ask: Partial<QuoteAsk>, node: Partial<QuoteFacts> = {}) {
  const offer = plan(ask, node);
  assert.ok(
    offer.kind === "offer",
    JSON.stringify(offer, (_, value) => `${value}`),
  );
  return offer;
}

const held = (change: Partial<Holds>): Holds => ({ ...holdsNothing, ...change });
const gang = (leases: number, change: Partial<QuoteAsk["order"]> = {}) => ({
  order: anOrder({ leases, ...change }),
  members: leases,
});

describe("a quote", () => {
  it("asks what the node posts, for as long as quotes hold", () =>
    assert.deepEqual(plan(), {
      kind: "offer",
      ratePerHour: 2_000_000n,
      startWindow: 120,
      leases: 1,
      sign: 1,
      lock: 10_000_000n,
      expiry: T0 + 125,
    }));

  it("never asks less than the owner's floor, which binds the operator", () => {
    const floor = { perGpuHour: 0n, perVCpuHour: 1_500_000n };
    const order = anOrder({ ratePerHour: 3_000_000n });
    assert.equal(offers({ order }, { floor }).ratePerHour, 3_000_000n);
    assert.deepEqual(refuses("rate-above-cap", {}, { floor }), { asks: "3000000", cap: "2000000" });
  });

  it("never asks nothing: the contract takes no such rate", () => {
    const free = { perGpuHour: 0n, perVCpuHour: 0n };
    assert.equal(offers({}, { posted: free, floor: free }).ratePerHour, 1n);
  });

  it("does not outlast the order", () =>
    assert.equal(offers({ order: anOrder({ openUntil: BigInt(T0 + 60) }) }).expiry, T0 + 60));

  it("is for as many of an order's leases as there is room for, and is signed for those asked for", () => {
    const signs = ({ leases, sign }: { leases: number; sign: number }) => [leases, sign];
    assert.deepEqual(signs(offers({ ...gang(3), members: 0 })), [3, 0]);
    assert.deepEqual(signs(offers({ ...gang(3), members: 2 })), [3, 2]);
    assert.deepEqual(signs(offers(gang(9))), [4, 4]);
    assert.deepEqual(signs(offers(gang(9), { maxLeases: 64 })), [8, 8]);
    assert.deepEqual(signs(offers(gang(9), { maxLeases: 64, quotesLeft: 5 })), [8, 5]);
  });
});

describe("what is quoted already", () => {
  it("is not offered a second time", () => {
    const full = { gpus: 0, vCpus: 15, memoryMiB: 1024n };
    assert.deepEqual(refuses("no-free-capacity", {}, { held: held(full) }), {
      what: "vCpus",
      needs: "2",
      free: "1",
    });
    assert.deepEqual(refuses("no-free-capacity", {}, { held: held({ memoryMiB: 64_513n }) }), {
      what: "memoryMiB",
      needs: "1024",
      free: "1023",
    });
    const gpu = gang(1, { gpus: 8, ratePerHour: 99_000_000n });
    refuses("no-free-capacity", gpu, { held: held({ gpus: 1 }) });
    assert.equal(offers(gpu).leases, 1);
  });

  it("counts against the most leases that the node runs at a time", () => {
    assert.equal(offers(gang(3), { liveLeases: 1, held: held({ leases: 1 }) }).leases, 2);
    refuses("lease-limit", {}, { liveLeases: 2, held: held({ leases: 2 }) });
  });

  it("counts against the stake that is free to be locked", () => {
    assert.equal(offers(gang(3), { unlockedStake: 29_999_999n }).leases, 2);
    assert.deepEqual(refuses("stake-too-low", {}, { held: held({ lock: 90_000_001n }) }), {
      what: "stake",
      needs: "10000000",
      free: "9999999",
    });
    const long = { fundedSeconds: 360_000, maxDuration: 360_000 };
    assert.equal(offers(gang(1, long)).lock, 40_000_000n);
  });

  it("leaves an offer possible when no more may be signed", () => {
    refuses("too-many-quotes", {}, { quotesLeft: 0 });
    assert.equal(offers({ members: 0 }, { quotesLeft: 0 }).leases, 1);
  });
});

describe("no quote is given", () => {
  it("for an order that does not fit, with the values that decided", () => {
    assert.deepEqual(refuses("other-gpu-model", gang(1, { gpus: 1, gpuModel: "NVIDIA-A100" })), {
      needs: "NVIDIA-A100",
      has: "NVIDIA-H100-80GB-HBM3",
    });
    assert.deepEqual(refuses("isolation-too-weak", gang(1, { isolation: 2 })), {
      needs: "sandbox",
      has: "user-namespace",
    });
    assert.deepEqual(refuses("storage-too-small", gang(1, { storageMiB: 102_401n })), {
      needs: "102401",
      has: "102400",
    });
    refuses("inputs-too-large", { inputBytes: 1_000_001 });
    refuses("closed", gang(1, { openUntil: BigInt(T0 + 4) }));
    assert.equal(offers(gang(1, { openUntil: BigInt(T0 + 5) })).expiry, T0 + 5);
  });

  it("for a quorum, unless the provider has opted in; never for what is not built", () => {
    const quorum = gang(3, { verification: 1, threshold: 2 });
    refuses("verification-unsupported", quorum);
    assert.equal(
      offers(quorum, { allowsQuorum: true }).leases,
      1,
      "replicas on one node agree with themselves",
    );
    for (const verification of [2, 3])
      refuses("verification-unsupported", gang(1, { verification }), { allowsQuorum: true });
  });

  it("for an image that the node would not pull", () => {
    const digest = `@sha256:${"ab".repeat(32)}`;
    refuses("image-host-not-allowed", { image: `evil.example/busybox${digest}` });
    for (const image of ["busybox", `10.0.0.1/busybox${digest}`, "registry.example/busybox:latest"])
      refuses("image-invalid", { image });
    refuses("image-not-found", { imageAnswer: { kind: "unfit", problem: "image-not-found" } });
    refuses("image-not-checked", { imageAnswer: { kind: "unanswered" } });
  });

  it("before the image was asked for, which is not done for what does not fit", () => {
    const imageAnswer = { kind: "unknown" } as const;
    assert.deepEqual(plan({ imageAnswer }), { kind: "check-image" });
    refuses("rate-above-cap", { imageAnswer, order: anOrder({ ratePerHour: 1n }) });
    refuses("image-host-not-allowed", { imageAnswer, image: `evil.example/a@sha256:${"ab".repeat(32)}` });
    refuses("lease-limit", { imageAnswer }, { liveLeases: 4 });
  });

  const blockers: readonly (readonly [string, Partial<QuoteFacts>])[] = [
    ["chain-unreadable", { evidence: "unreadable" }],
    ["stopping", { isStopping: true }],
    ["read-only", { mayAct: false }],
    ["signing-stopped", { maySign: false }],
    ["leader-lock", { holdsLeaderLock: false }],
    ["disk-full", { diskFull: true }],
    ["cluster-unreachable", { clusterReachable: false }],
    ["not-registered", { status: undefined }],
    ["not-active", { status: "Draining" }],
    ["not-active", { status: "Retired" }],
    ["stake-too-low", { hasStake: false }],
    ["gas-reserve", { hasGasReserve: false }],
  ];
  for (const [reason, node] of blockers)
    it(`by a node while: ${reason} ${Object.entries(node)}`, () => {
      refuses(reason, {}, node);
      refuses(reason, { members: 0 }, node);
    });
});

describe("whatever is asked of whatever node, a quote", () => {
  const share = fc.record({
    gpus: fc.nat(9),
    vCpus: fc.nat(20),
    memoryMiB: fc.bigInt({ min: 0n, max: 9_000n }),
  });
  const rates = fc.record({
    perGpuHour: fc.bigInt({ min: 0n, max: 3_000_000n }),
    perVCpuHour: fc.bigInt({ min: 0n, max: 2_000_000n }),
  });
  const order = fc.record({
    leases: fc.integer({ min: 1, max: 64 }),
    gpus: fc.nat(3),
    vCpus: fc.integer({ min: 1, max: 4 }),
    memoryMiB: fc.bigInt({ min: 1n, max: 2_000n }),
    ratePerHour: fc.bigInt({ min: 1n, max: 20_000_000n }),
  });
  const node = fc.record({
    available: share,
    held: fc.tuple(share, fc.nat(4), fc.bigInt({ min: 0n, max: 99_000_000n })).map(([of, leases, lock]) => ({
      ...of,
      leases,
      lock,
    })),
    posted: rates,
    floor: rates,
    liveLeases: fc.nat(4),
    maxLeases: fc.integer({ min: 1, max: 70 }),
    quotesLeft: fc.nat(70),
  });

  it("promises no more than is free and not yet promised, at no less than posted and floor, within the cap", () => {
    let quoted = 0;
    fc.assert(
      fc.property(order, node, fc.nat(64), (asked, facts, members) => {
        const quoter = aQuoter(facts);
        const wanted = anOrder(asked);
        const offer = planQuote(anAsk({ order: wanted, members }), quoter, T0);
        if (offer.kind !== "offer") return;
        quoted += 1;
        const { available, held: taken } = quoter;
        assert.ok(offer.leases >= 1 && offer.leases <= wanted.leases);
        assert.ok(offer.sign <= offer.leases && offer.sign <= members && offer.sign <= quoter.quotesLeft);
        assert.ok(offer.leases + taken.leases + quoter.liveLeases <= quoter.maxLeases);
        assert.ok(wanted.gpus === 0 || offer.leases * wanted.gpus + taken.gpus <= available.gpus);
        assert.ok(offer.leases * wanted.vCpus + taken.vCpus <= available.vCpus);
        assert.ok(BigInt(offer.leases) * wanted.memoryMiB + taken.memoryMiB <= available.memoryMiB);
        assert.ok(BigInt(offer.leases) * offer.lock + taken.lock <= quoter.unlockedStake);
        assert.ok(offer.ratePerHour <= wanted.ratePerHour);
        assert.ok(offer.ratePerHour >= leaseRate(quoter.posted, wanted));
        assert.ok(offer.ratePerHour >= leaseRate(quoter.floor, wanted));
      }),
      { numRuns: 2_000 },
    );
    assert.ok(quoted > 20, `only ${quoted} of the cases were quoted`);
  });
});
