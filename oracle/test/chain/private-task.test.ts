import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import {
  type ConsumerPeer,
  fetchDelivery,
  marketDirectory,
  memoryCiphertext,
  memorySink,
  readersOf,
  type SubmittedTask,
  wrapTaskKey,
} from "@dekuper/client";
import { type BlobName, decodeWrap, MAX_SPEC_BYTES, sealedSize, taskRegistryAbi } from "@dekuper/protocol";
import { type Address, hexToString } from "viem";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import { createBlobStore } from "../../src/peer/blob-store.ts";
import { createLogStore } from "../../src/peer/log-store.ts";
import { createPeerNode } from "../../src/peer/peer-node.ts";
import { aTaskSpec } from "../task-spec.ts";
import {
  INPUT,
  type Oddly,
  onDisk,
  orderPrivately,
  PER_VCPU_HOUR,
  SECRET,
  startNode,
  TEXT,
} from "./private-order.ts";
import { payOf, type RunningOracle } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined };
const signal = () => AbortSignal.timeout(30_000);

/** Two nodes; the first is cheaper, unless both ask the same. They know each other. */
async function twoNodes(t: TestContext, dearer = 2n) {
  const cheap = await startNode(t, chain, PER_VCPU_HOUR);
  const dear = await startNode(t, chain, dearer * PER_VCPU_HOUR);
  await cheap.mine(2);
  for (const node of [cheap, dear]) await node.caughtUp();
  const connected = async () => {
    const status = (await fetch(`${cheap.oracle.url}/status`).then((answer) => answer.json())) as {
      connected: Address[];
    };
    return status.connected.includes(dear.provider.node);
  };
  await cheap.until("the two know each other", connected);
  return { cheap, dear };
}

async function grantsOf({ taskId }: Pick<SubmittedTask, "taskId">, { client }: RunningOracle) {
  const logs = await client.getContractEvents({
    address: chain.network.deployment.taskRegistry,
    abi: taskRegistryAbi,
    eventName: "KeyGranted",
    args: { taskId },
    fromBlock: 0n,
    strict: true,
  });
  return logs.map(({ args }) => args);
}

/** As a consumer without a token. */
async function readFrom(peer: Pick<ConsumerPeer, "getBlob">, node: Address, name: BlobName): Promise<void> {
  for await (const _ of peer.getBlob(node, name, { signal: signal() })) return;
}

/** Digests, without 0x, of the checkpoints that a daemon holds. */
function checkpointsOf({ stateDir }: RunningOracle): () => Promise<string[]> {
  return async () => {
    const entries = await readdir(join(stateDir, "blobs", "checkpoint"), { recursive: true });
    return entries.map((entry) => basename(entry));
  };
}

/** Why a node gave a lease back. */
async function failReason(
  { leaseId }: SubmittedTask,
  { client }: RunningOracle,
): Promise<string | undefined> {
  const [failed] = await client.getContractEvents({
    address: chain.network.deployment.taskRegistry,
    abi: taskRegistryAbi,
    eventName: "LeaseFailed",
    args: { leaseId },
    fromBlock: 0n,
    strict: true,
  });
  return failed && hexToString(failed.args.reason, { size: 32 });
}

/** A registered, active node that can do no more than ask others for blobs. */
async function startAsker(t: TestContext, provider: TestProvider) {
  const dir = await mkdtemp(join(tmpdir(), "dekuper-asker-"));
  const blobs = await createBlobStore({ dir: join(dir, "blobs") });
  const peer = createPeerNode({
    operatorPrivateKey: provider.operatorKey,
    listen: ["/ip4/127.0.0.1/tcp/0"],
    deployment: chain.network.deployment,
    directory: marketDirectory(await provider.market.nodes()),
    blobStore: blobs,
    logStore: createLogStore({ dir: join(dir, "logs") }),
    readPolicy: {
      consumerOf: () => undefined,
      outputOwner: () => undefined,
      verifySignature: async () => false,
    },
    log: silent,
  });
  await peer.start();
  t.after(async () => {
    await peer.stop();
    blobs.close();
    await rm(dir, { recursive: true, force: true });
  });
  const get = async (name: BlobName) => {
    await peer.fetchBlob(name, sealedSize(MAX_SPEC_BYTES), signal());
    return blobs.readAll(name, sealedSize(MAX_SPEC_BYTES));
  };
  return { get };
}

describe("a private task (rule 11)", () => {
  it("runs where its key was handed over, and nobody else reads its spec or its inputs", async (t) => {
    const { cheap, dear } = await twoNodes(t);
    const other = await startTestProvider(chain);
    const asker = await startAsker(t, other);
    const { task, taskKey, key, signer, peer, plan, submitted } = await orderPrivately(t, chain, cheap, [
      cheap.provider.node,
      dear.provider.node,
    ]);
    const { taskId, leaseId } = submitted;
    assert.deepEqual(readersOf(plan, task.spec), {
      chosen: [cheap.provider.node],
      standbys: [dear.provider.node],
    });
    const grants = await grantsOf(submitted, cheap);
    assert.deepEqual(
      grants.map(({ node, keyVersion }) => [node, keyVersion]),
      [cheap.provider.node, dear.provider.node].map((node) => [node, 1]),
    );
    assert.ok(grants.every(({ wrap }) => (wrap.length - 2) / 2 <= 512));

    await cheap.untilStatus(leaseId, "Running");
    const received = cheap.cluster.received.get(`${leaseId}:1`);
    assert.equal(received?.spec.env.TOKEN, SECRET);
    assert.deepEqual(received.inputs, { "rows.csv": INPUT });
    assert.equal(dear.cluster.made.length, 0);

    const specBlob = decodeWrap(grants[0]?.wrap ?? "0x").specBlob;
    const sealedNames = [specBlob, ...task.spec.inputs.map(({ sealed = "0x" }) => sealed)].map(
      (digest) => ({ kind: "sealed", digest }) as const,
    );
    for (const name of sealedNames) {
      await assert.rejects(asker.get(name), { code: "BLOB_NOT_FOUND" }, "it was handed no key");
      for (const { provider } of [cheap, dear])
        await assert.rejects(readFrom(peer, provider.node, name), { code: "READ_DENIED" });
    }
    const plainNames = [
      { kind: "spec", digest: task.specDigest } as const,
      { kind: "input", digest: task.spec.inputs[0]?.digest ?? "0x" } as const,
    ];
    for (const name of plainNames) await assert.rejects(asker.get(name), { code: "BLOB_NOT_FOUND" });
    for (const node of [cheap, dear]) {
      const disk = await onDisk(node);
      assert.ok(disk.length > INPUT.length);
      for (const plain of [SECRET, INPUT.slice(0, 40), "train.py"])
        assert.ok(!disk.includes(plain), "what rests at a node is sealed");
    }

    // The same node asks again once the consumer has handed it the key: what it gets is the sealed blob, and it opens.
    const { market, address } = cheap.consumer;
    const wrap = await wrapTaskKey(taskKey, specBlob, address, await market.node(other.node));
    await market.grantKeys(taskId, [wrap]);
    await cheap.mine(2);
    await cheap.caughtUp();
    const sealed = await asker.get({ kind: "sealed", digest: specBlob });
    assert.ok(!Buffer.from(sealed).includes(SECRET));

    await cheap.until("a claim", async () => (await cheap.lease(leaseId)).lastStep > 0n);
    cheap.cluster.exit();
    await cheap.untilStatus(leaseId, "Completed");
    // From another device: the spec's salt, which verifies the delivery, is in the sealed spec alone.
    const delivery = await fetchDelivery({
      market,
      peer,
      signer,
      key,
      id: taskId,
      store: memoryCiphertext(),
      sink: memorySink(),
    });
    assert.deepEqual(delivery.spec, task.spec);
    await market.approve(leaseId);
    await cheap.untilStatus(leaseId, "Settled");
    const { billedSeconds, ratePerHour } = await cheap.lease(leaseId);
    assert.ok(billedSeconds > 0n);
    assert.equal((await cheap.money()).earned, payOf(billedSeconds, ratePerHour));
  });

  it("is taken over by a standby with its own wrap, from the sealed checkpoint", async (t) => {
    const { cheap, dear } = await twoNodes(t, 1n);
    const { submitted, plan } = await orderPrivately(t, chain, cheap, [
      cheap.provider.node,
      dear.provider.node,
    ]);
    const { leaseId } = submitted;
    const isCheap = plan.placements[0]?.node === cheap.provider.node;
    const [first, standby] = isCheap ? [cheap, dear] : [dear, cheap];
    await standby.untilStatus(leaseId, "Running");
    const weights = "the weights, which are as secret as the rows that they were made of\n".repeat(100);
    first.cluster.checkpoint = { "step-7/weights": weights };
    const checkpoints = checkpointsOf(standby);
    await standby.until("a copy of the checkpoint that is claimed", async () => {
      const { checkpointDigest } = await first.lease(leaseId);
      return (await checkpoints()).includes(checkpointDigest.slice(2));
    });

    await first.oracle.stop();
    await first.provider.fail(leaseId, 1, "drained");
    await standby.until("the second attempt", () => standby.cluster.received.has(`${leaseId}:2`));
    const received = standby.cluster.received.get(`${leaseId}:2`);
    assert.equal(received?.spec.env.TOKEN, SECRET);
    assert.deepEqual(received.inputs, { "rows.csv": INPUT });
    assert.deepEqual(received.checkpoint, { "step-7/weights": weights });
    for (const node of [first, standby]) assert.ok(!(await onDisk(node)).includes(weights.slice(0, 40)));
    await standby.untilStatus(leaseId, "Running");
    assert.deepEqual((await standby.lease(leaseId)).node, standby.provider.node);
  });

  it("that does not hold what was ordered, or whose key another consumer made, is given back before it starts", async (t) => {
    const node = await startNode(t, chain, PER_VCPU_HOUR);
    const { provider } = node;
    await node.mine(2);
    await node.caughtUp();
    const { staked } = (await provider.market.node(provider.node)).stake;
    const other = await chain.account(10_000);
    await other.market.deposit(5_000_000_000n);
    const once = `${TEXT}attempts: 1\n`;
    const good = await orderPrivately(t, chain, node, [provider.node], { text: once });
    await node.untilStatus(good.submitted.leaseId, "Running");
    const [copied] = await grantsOf(good.submitted, node);

    const wrong: [string, Pick<RunningOracle, "consumer">, Oddly, string][] = [
      [
        "another spec",
        node,
        { text: once, task: (task) => ({ ...task, specDigest: good.task.specDigest }) },
        "Unfit:spec-invalid",
      ],
      [
        "an image that the envelope did not name",
        node,
        {
          text: once.replace("ghcr.io", "registry.example.org"),
          task: (task) => ({ ...task, spec: { ...task.spec, image: aTaskSpec().image } }),
        },
        "Unfit:image-host-not-allowed",
      ],
      [
        "a wrap from the chain",
        { consumer: other },
        {
          text: once,
          task: (task) => ({ ...task, specDigest: good.task.specDigest }),
          wraps: (wraps) => wraps.map((wrap) => ({ ...wrap, wrap: copied?.wrap ?? "0x" })),
        },
        "Unfit:key-wrap-invalid",
      ],
    ];
    for (const [what, who, oddly, reason] of wrong) {
      const before = (await who.consumer.market.account(who.consumer.address)).free;
      const { submitted } = await orderPrivately(t, chain, who, [provider.node], oddly);
      await node.untilStatus(submitted.leaseId, "Failed");
      assert.equal(await failReason(submitted, node), reason, what);
      assert.equal(
        (await who.consumer.market.account(who.consumer.address)).free,
        before,
        "all of it is back",
      );
    }
    assert.equal(node.cluster.made.length, 1, "nothing ran but the good one");
    assert.equal((await provider.market.node(provider.node)).stake.staked, staked);
  });
});
