import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it, type TestContext } from "node:test";
import { createNodeClientPeer } from "@dekuper/client/node";
import {
  attestationDigest,
  CHUNK_BYTES,
  callChunk,
  callVerdict,
  chunkRoot,
  type DekuperError,
  DRAWN_CHUNKS,
  drawnChunks,
  type OutputAttestation,
  type Receipt,
  receiptTypedData,
  verifyBranch,
} from "@dekuper/protocol";
import { type Hex, recoverAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { OpenClaim } from "../../src/chain/verdict-facts.ts";
import { takeReceipt } from "../../src/daemon/receipts.ts";
import { DisputedChunks } from "../../src/daemon/verdict-chunks.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { DeliveryJournal } from "../../src/journal/deliveries.ts";
import type { ClaimSource } from "../../src/peer/claim-channels.ts";
import { anAttempt, anAttestation, bytes32, LEASE } from "../journal/builders.ts";
import { openDatabase } from "../journal/crash.ts";
import { consumer, deployment, Registry, startTestNode, type TestNode } from "./market.ts";
import { type Stranger, startStranger } from "./stranger.ts";

const registry = new Registry();
const signal = () => AbortSignal.timeout(20_000);
/** More chunks than are drawn, and a last one that is not whole. */
const output = randomBytes((DRAWN_CHUNKS + 4) * CHUNK_BYTES + 7);
const blockHash = bytes32(0xb1);

describe("the node's side of a disputed delivery", () => {
  const seats = new Set<Hex>();
  let attestation: OutputAttestation;
  let claim: OpenClaim | undefined;
  let accused: TestNode;
  let seat: TestNode;
  let other: TestNode;
  let stranger: Stranger;
  let claims: ClaimSource;
  const verdicts = new Map<number, { fetched: boolean; signature: Hex }>();

  before(async () => {
    const source: ClaimSource = {
      takeReceipt: (receipt) => claims.takeReceipt(receipt),
      chunk: (request, attester) => claims.chunk(request, attester),
      verdict: ({ claimedAt }) => verdicts.get(claimedAt),
    };
    accused = await startTestNode({ registry, claims: source });
    seat = await startTestNode({ registry });
    other = await startTestNode({ registry });
    stranger = await startStranger();
    const writer = await accused.blobs.create();
    await writer.write(output);
    const ciphertextRoot = chunkRoot(output);
    await writer.commit({ kind: "output", digest: ciphertextRoot });
    attestation = anAttestation({ ciphertextRoot, ciphertextSize: BigInt(output.length) });
    claim = {
      leaseId: LEASE,
      attempt: 1,
      node: accused.node,
      claimedAt: 1_000,
      answerUntil: 2_000,
      block: 7,
      attestation,
      attestationDigest: attestationDigest(attestation),
      drawn: drawnChunks(blockHash, LEASE, attestation.ciphertextSize),
    };
    seats.add(seat.node);
    const chunks = () =>
      new DisputedChunks({
        node: accused.node,
        blobs: accused.blobs,
        claims: {
          seats: async () => ({ seats, quorum: 1 }),
          of: async (leaseId, attempt) => (leaseId === LEASE && attempt === 1 ? claim : undefined),
        },
      });
    const served = chunks();
    claims = {
      takeReceipt: () => Promise.reject(new Error("not asked")),
      chunk: (request, attester) => served.serve(request, attester),
      verdict: () => undefined,
    };
  });
  after(async () => {
    await stranger?.stop();
    for (const node of [accused, seat, other]) await node?.stop();
  });

  const get = (from: TestNode, index: number, change: object = {}) =>
    from.peer.call(
      accused.node,
      "chunk",
      (stream) => callChunk(stream, { leaseId: LEASE, attempt: 1, index, ...change }, signal()),
      signal(),
    );

  it("gives an attester every chunk that the claim's block draws, each with its branch to the attested root", async () => {
    assert.equal(claim?.drawn.length, DRAWN_CHUNKS);
    const { ciphertextRoot: root, ciphertextSize: size } = attestation;
    for (const index of claim?.drawn ?? []) {
      const { chunk, branch } = await get(seat, index);
      assert.deepEqual(Buffer.from(chunk), output.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES));
      assert.ok(verifyBranch({ root, size, index, chunk, branch }));
    }
  });

  it("gives nobody else one, and an attester none that is not drawn, or that nobody disputes", async () => {
    const denied = (error: DekuperError) => error.code === "READ_DENIED";
    const [drawn = 0] = claim?.drawn ?? [];
    const undrawn = Array.from({ length: 20 }, (_, index) => index).find(
      (index) => !claim?.drawn.includes(index),
    );
    assert.ok(undrawn !== undefined);
    await assert.rejects(get(other, drawn), denied, "a registered node without a seat");
    await assert.rejects(get(seat, undrawn), denied, "a chunk that is not drawn");
    await assert.rejects(get(seat, drawn, { attempt: 2 }), denied, "another attempt");
    await assert.rejects(get(seat, drawn, { leaseId: bytes32(9) }), denied, "another lease");
    const asked = { leaseId: LEASE, attempt: 1, index: drawn };
    assert.equal((await stranger.ask(accused, "chunk", asked))?.code, "READ_DENIED");
    const open = claim;
    claim = undefined;
    await assert.rejects(get(seat, drawn), denied, "no claim");
    claim = open && { ...open, node: other.node };
    await assert.rejects(get(seat, drawn), denied, "another node's delivery");
    claim = open;
    await get(seat, drawn);
  });

  it("gives an attester its chunks again after a cut, but not without end", async () => {
    const [index = 0] = claim?.drawn ?? [];
    claim = claim && { ...claim, claimedAt: 1_500, drawn: [index] };
    for (let times = 0; times < 8; times++) await get(seat, index);
    await assert.rejects(get(seat, index), { code: "READ_DENIED" });
  });

  it("has nothing to give of an output that it does not have", async () => {
    claim = claim && {
      ...claim,
      claimedAt: 1_600,
      attestation: { ...attestation, ciphertextRoot: bytes32(5) },
    };
    await assert.rejects(get(seat, claim?.drawn[0] ?? 0), { code: "BLOB_NOT_FOUND" });
  });

  it("tells anybody what it has said of another's delivery, once it has", async () => {
    const asked = { leaseId: LEASE, attempt: 1, claimedAt: 42 };
    const ask = () =>
      other.peer.call(accused.node, "verdict", (stream) => callVerdict(stream, asked, signal()), signal());
    assert.equal(await ask(), undefined);
    const said = { fetched: true, signature: `0x${"ab".repeat(65)}` } as const;
    verdicts.set(42, said);
    assert.deepEqual(await ask(), said);
    assert.deepEqual((await stranger.ask(accused, "verdict", asked))?.verdict, said);
  });
});

describe("a node that is handed a receipt", () => {
  async function aNode(t: TestContext, contracts: Record<Hex, Hex> = {}) {
    const { db } = openDatabase(t);
    const attempts = new AttemptJournal(db, Date.now);
    const journal = new DeliveryJournal(db, Date.now);
    attempts.open({ ...anAttempt(), consumer: consumer.address });
    attempts.storeAttestation(anAttestation());
    /** As `readPolicyOf`, with a contract account's answer in a map. */
    const verifySignature = async (asked: { consumer: Hex; digest: Hex; signature: Hex }) => {
      const { digest: hash, signature } = asked;
      const signer = await recoverAddress({ hash, signature }).catch(() => undefined);
      return signer === asked.consumer || contracts[signature] === asked.consumer;
    };
    const policy = { verifySignature };
    const claims: ClaimSource = {
      takeReceipt: (receipt) => takeReceipt({ deployment, attempts, journal, policy }, receipt),
      chunk: () => Promise.reject(new Error("not asked")),
      verdict: () => undefined,
    };
    const node = await startTestNode({ registry, claims });
    const peer = createNodeClientPeer({ deployment, directory: registry });
    await peer.start();
    t.after(async () => {
      await peer.stop();
      await node.stop();
    });
    return { node, journal, give: (receipt: Receipt) => peer.giveReceipt(node.node, receipt) };
  }

  async function aReceipt(change: Partial<Receipt> = {}, signer = consumer): Promise<Receipt> {
    const digest = attestationDigest(anAttestation());
    const unsigned = { leaseId: LEASE, attempt: 1, attestationDigest: digest, ...change };
    return { ...unsigned, signature: await signer.signTypedData(receiptTypedData(deployment, unsigned)) };
  }

  it("has it in its journal when the consumer is told that it was taken, however often", async (t) => {
    const { give, journal, node } = await aNode(t);
    const receipt = await aReceipt();
    await give(receipt);
    assert.equal(journal.receipt(LEASE, 1), receipt.signature);
    await give(receipt);
    assert.equal(node.counts.receipts_taken, 2);
  });

  it("keeps none that another has signed, or that is for another output, lease or market", async (t) => {
    const { give, journal } = await aNode(t);
    const another = privateKeyToAccount(generatePrivateKey());
    await assert.rejects(give(await aReceipt({}, another)), { code: "NOT_ALLOWED" });
    await assert.rejects(give(await aReceipt({ attestationDigest: bytes32(9) })), { code: "NOT_FOUND" });
    await assert.rejects(give(await aReceipt({ attempt: 2 })), { code: "NOT_FOUND" });
    await assert.rejects(give(await aReceipt({ leaseId: bytes32(9) })), { code: "NOT_FOUND" });
    const { signature: _, ...unsigned } = await aReceipt();
    const elsewhere = await consumer.signTypedData(receiptTypedData({ ...deployment, chainId: 1 }, unsigned));
    await assert.rejects(give({ ...unsigned, signature: elsewhere }), { code: "NOT_ALLOWED" });
    assert.equal(journal.receipt(LEASE, 1), undefined);
  });

  it("takes a contract account's, of whatever form", async (t) => {
    const signature: Hex = `0x${"5a".repeat(200)}`;
    const { give, journal } = await aNode(t, { [signature]: consumer.address });
    await give({ ...(await aReceipt()), signature });
    assert.equal(journal.receipt(LEASE, 1), signature);
  });

  it("answers nothing that is no receipt", async (t) => {
    const { node } = await aNode(t);
    const stranger = await startStranger();
    t.after(() => stranger.stop());
    const receipt = await aReceipt();
    for (const wrong of [{}, { ...receipt, more: 1 }, { ...receipt, attempt: "1" }, []])
      assert.equal((await stranger.ask(node, "receipt", wrong))?.code, "MESSAGE_INVALID");
  });
});
