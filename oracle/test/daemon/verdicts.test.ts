import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import {
  attestationDigest,
  BranchTree,
  canonicalJson,
  chunkRoot,
  DekuperError,
  type FramedStream,
  leafHash,
  verdictSigner,
  verdictTypedData,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { purposeOf } from "../../src/chain/calls.ts";
import type { OpenClaim } from "../../src/chain/verdict-facts.ts";
import { VerdictCollector } from "../../src/daemon/verdict-collector.ts";
import { VerdictDesk } from "../../src/daemon/verdict-desk.ts";
import { DeliveryJournal } from "../../src/journal/deliveries.ts";
import { anAttestation, bytes32, LEASE } from "../journal/builders.ts";
import { openDatabase } from "../journal/crash.ts";
import { deployment } from "./builders.ts";

const T0 = 1_000;
const anAccount = () => privateKeyToAccount(generatePrivateKey());
const ascending = (accounts: readonly PrivateKeyAccount[]) =>
  [...accounts].sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));

const chunk = new TextEncoder().encode("a ciphertext of one chunk");
const attestation = anAttestation({
  ciphertextRoot: chunkRoot(chunk),
  ciphertextSize: BigInt(chunk.length),
});

/** A claim against a node that nobody has answered, to be answered within 100 seconds. */
const aClaim = (node: Address, change: Partial<OpenClaim> = {}): OpenClaim => ({
  leaseId: LEASE,
  attempt: 1,
  node,
  claimedAt: T0,
  answerUntil: T0 + 100,
  block: 7,
  attestation,
  attestationDigest: attestationDigest(attestation),
  drawn: [0],
  ...change,
});

/** What an account says of a claim, as its own peer answers. */
async function said(by: PrivateKeyAccount, claim: OpenClaim, fetched: boolean, change: object = {}) {
  const { leaseId, attempt, attestationDigest, claimedAt } = claim;
  const verdict = { leaseId, attempt, attestationDigest, claimedAt, fetched, ...change };
  return { fetched, signature: await by.signTypedData(verdictTypedData(deployment, verdict)) };
}

/** A stream whose other end has already sent a header, and bytes after it. */
function answering(header: object, bytes: Uint8Array = new Uint8Array()): FramedStream {
  return {
    writeFrame: async () => undefined,
    readFrame: async () => canonicalJson(header),
    end: async () => undefined,
    bytes: async function* () {
      yield bytes;
    },
  } as unknown as FramedStream;
}

/** One attester's desk and collector, among seats whose peers are functions. */
function aDesk(t: TestContext, owners: Record<Address, Address> = {}) {
  const account = anAccount();
  const { db } = openDatabase(t);
  const journal = new DeliveryJournal(db, Date.now);
  const world = {
    now: T0,
    confirmed: 7,
    claims: [] as OpenClaim[],
    seats: new Set<Address>([account.address]),
    quorum: 1,
  };
  const peers = new Map<Address, (kind: string) => Promise<FramedStream>>();
  const asked: string[] = [];
  const claims = {
    get now() {
      return world.now;
    },
    get confirmed() {
      return world.confirmed;
    },
    all: () => world.claims,
    read: async (claim: OpenClaim) => claim,
    seats: async () => ({ seats: world.seats, quorum: world.quorum }),
  };
  const peer = {
    call: async <T>(node: Address, kind: string, use: (stream: FramedStream) => Promise<T>) => {
      asked.push(`${kind} ${node}`);
      const open = peers.get(node);
      if (open === undefined) throw new DekuperError("PEER_UNREACHABLE", `${node} is gone.`);
      return use(await open(kind));
    },
  };
  const submitted: Parameters<typeof purposeOf>[0][] = [];
  const collector = new VerdictCollector({ deployment, node: account.address, claims, journal, peer });
  const clock = { ms: 1_000_000 };
  const quiet = () => undefined;
  const desk = new VerdictDesk({
    deployment,
    account,
    claims,
    collector,
    journal,
    peer,
    queue: { submit: async (call: Parameters<typeof purposeOf>[0]) => submitted.push(call) },
    nodes: { entry: (node: Address) => ({ owner: owners[node] ?? node }) },
    clock: { now: () => clock.ms },
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  } as never);
  const { signal } = new AbortController();
  /** A look at this chain time. */
  const look = async (now: number, change: object = {}) => {
    world.now = now;
    clock.ms += 1_000;
    desk.round({ mayAct: true, maySign: true, ...change } as never, signal);
    await desk.settled();
  };
  return { account, journal, world, peers, asked, submitted, desk, collector, look, signal };
}

const serves = (bytes: Uint8Array, branch: readonly Hex[] = []) =>
  Promise.resolve(answering({ ok: true, size: bytes.length, branch }, bytes));

describe("an attester of a disputed delivery", () => {
  it("says that it has fetched once it has every drawn chunk, by a signature that the contract takes", async (t) => {
    const at = aDesk(t);
    const accused = anAccount().address;
    const claim = aClaim(accused);
    at.world.claims = [claim];
    at.peers.set(accused, () => serves(chunk));
    await at.look(T0);
    const verdict = at.journal.verdict(claim);
    assert.equal(verdict?.fetched, true);
    const signer = await verdictSigner(deployment, { ...claim, fetched: true }, verdict?.signature ?? "0x");
    assert.equal(signer, at.account.address);
    await at.look(T0 + 60);
    assert.equal(at.asked.length, 1, "it asks no more");
    assert.deepEqual(at.submitted, [], "the accused node collects that");
  });

  it("waits for the confirmation of the block that draws, and for a seat", async (t) => {
    const at = aDesk(t);
    const accused = anAccount().address;
    at.world.claims = [aClaim(accused, { block: 8 })];
    at.peers.set(accused, () => serves(chunk));
    await at.look(T0);
    at.world.confirmed = 8;
    at.world.seats = new Set([accused]);
    await at.look(T0 + 1);
    assert.deepEqual(at.asked, []);
  });

  const withholding: [string, (bytes: Uint8Array) => Promise<FramedStream>][] = [
    ["is silent", () => Promise.reject(new DekuperError("PEER_UNREACHABLE", "It is gone."))],
    ["gives other bytes", (bytes) => serves(bytes.map((byte) => byte ^ 1))],
    ["gives too few", (bytes) => serves(bytes.subarray(1))],
    [
      "gives another tree's chunk with its branch",
      (bytes) => {
        const tree = new BranchTree([bytes, bytes].map(leafHash));
        return serves(bytes, tree.branch(0));
      },
    ],
    [
      "says that it has none",
      () => Promise.resolve(answering({ ok: false, code: "BLOB_NOT_FOUND", message: "None here." })),
    ],
  ];
  for (const [what, open] of withholding)
    it(`gives a node that ${what} half of the time, and then says so, once and for ever`, async (t) => {
      const at = aDesk(t);
      const accused = anAccount().address;
      const claim = aClaim(accused);
      at.world.claims = [claim];
      at.world.quorum = 2;
      at.peers.set(accused, () => open(chunk));
      for (let now = T0; now <= T0 + 50; now++) await at.look(now);
      assert.equal(at.journal.verdict(claim), undefined);
      const tries = at.asked.length;
      assert.ok(tries >= 3 && tries < 30, `${tries} tries`);
      await at.look(T0 + 51);
      assert.equal(at.journal.verdict(claim)?.fetched, false);
      at.peers.set(accused, () => serves(chunk));
      await at.look(T0 + 60);
      assert.equal(at.journal.verdict(claim)?.fetched, false);
    });

  it("says that an attested output without bytes cannot be fetched: nobody could open it", async (t) => {
    const at = aDesk(t);
    const claim = aClaim(anAccount().address, { drawn: [] });
    at.world.claims = [claim];
    for (let now = T0; now <= T0 + 51; now++) await at.look(now);
    assert.equal(at.journal.verdict(claim)?.fetched, false);
    assert.deepEqual(at.asked, []);
  });

  it("says nothing of a node of its own owner, and nothing where it must not sign", async (t) => {
    const accused = anAccount().address;
    const owners: Record<Address, Address> = {};
    const at = aDesk(t, owners);
    owners[accused] = at.account.address;
    at.world.claims = [aClaim(accused)];
    at.peers.set(accused, () => serves(chunk));
    await at.look(T0);
    delete owners[accused];
    await at.look(T0 + 1, { maySign: false });
    assert.deepEqual(at.asked, []);
    await at.look(T0 + 2);
    assert.equal(at.asked.length, 1);
  });

  it("takes it to the chain when enough say that they could not fetch, and not before", async (t) => {
    const at = aDesk(t);
    const [second, third] = [anAccount(), anAccount()];
    const claim = aClaim(anAccount().address);
    at.world.claims = [claim];
    at.world.seats = new Set([at.account.address, second.address, third.address]);
    at.world.quorum = 3;
    for (let now = T0; now <= T0 + 51; now++) await at.look(now);
    const no = await said(second, claim, false);
    at.peers.set(second.address, async () => answering({ ok: true, verdict: no }));
    const yes = await said(third, claim, true);
    at.peers.set(third.address, async () => answering({ ok: true, verdict: yes }));
    for (let now = T0 + 52; now <= T0 + 75; now++) await at.look(now);
    assert.deepEqual(at.submitted, []);
    at.world.quorum = 2;
    await at.look(T0 + 76);
    const signatures = ascending([at.account, second]).map(({ address }) =>
      address === second.address ? no.signature : at.journal.verdict(claim)?.signature,
    );
    assert.deepEqual(at.submitted, [{ name: "answerWithAttesters", args: [LEASE, false, signatures] }]);
  });
});

describe("a node whose delivery is disputed", () => {
  it("without a receipt collects what the committee has fetched, in the order that the contract wants", async (t) => {
    const at = aDesk(t);
    const seats = [anAccount(), anAccount(), anAccount()];
    const claim = aClaim(at.account.address);
    at.world.claims = [claim];
    at.world.seats = new Set(seats.map(({ address }) => address));
    at.world.quorum = 3;
    const answers = new Map<Address, { fetched: boolean; signature: Hex }>();
    for (const seat of seats) {
      answers.set(seat.address, await said(seat, claim, true));
      at.peers.set(seat.address, async () => answering({ ok: true, verdict: answers.get(seat.address) }));
    }
    await at.look(T0);
    const expected = ascending(seats).map(({ address }) => answers.get(address)?.signature);
    assert.deepEqual(at.submitted, [{ name: "answerWithAttesters", args: [LEASE, true, expected] }]);
  });

  it("with one leaves the answer to it", async (t) => {
    const at = aDesk(t);
    at.world.claims = [aClaim(at.account.address)];
    at.journal.recordReceipt(LEASE, 1, "0x01");
    await at.look(T0);
    assert.deepEqual([at.asked, at.submitted], [[], []]);
  });
});

describe("collecting verdicts", () => {
  it("counts a seat's own word on this claim, and no other's, whoever passes it on", async (t) => {
    const at = aDesk(t);
    const [honest, liar, gone, former] = [anAccount(), anAccount(), anAccount(), anAccount()];
    const claim = aClaim(anAccount().address);
    at.world.seats = new Set([honest, liar, gone].map(({ address }) => address));
    at.world.quorum = 1;
    const good = await said(honest, claim, true);
    const lies = [
      good,
      await said(former, claim, true),
      { ...(await said(liar, claim, true)), fetched: false },
      await said(liar, claim, true, { claimedAt: T0 - 1 }),
      await said(liar, claim, true, { leaseId: bytes32(9) }),
      await said(liar, claim, true, { attempt: 2 }),
    ];
    for (const [index, verdict] of lies.entries()) {
      at.world.now = T0 + index * 30;
      at.peers.set(liar.address, async () => answering({ ok: true, verdict }));
      assert.equal(await at.collector.collect(claim, true, at.signal), undefined, `lie ${index}`);
      assert.equal(await at.collector.collect(claim, false, at.signal), undefined, `lie ${index}`);
    }
    at.world.now = T0 + 400;
    at.peers.set(honest.address, async () => answering({ ok: true, verdict: good }));
    assert.deepEqual(await at.collector.collect(claim, true, at.signal), [good.signature]);
    at.world.seats.delete(honest.address);
    assert.equal(await at.collector.collect(claim, true, at.signal), undefined, "it has lost its seat");
  });
});
