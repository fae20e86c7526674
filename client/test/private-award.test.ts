import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import {
  awardTask,
  deriveOutputKey,
  deriveTaskKey,
  findTaskKey,
  type Market,
  type OutputKey,
  planQuotes,
  planTask,
  prepareTask,
  readersOf,
  sealInputs,
  sealTask,
  signerOf,
  submitTask,
} from "@dekuper/client";
import {
  ageIdentity,
  decodeSpec,
  decodeWrap,
  nodeEncryptionKey,
  nodeEncryptionSecret,
  parseTaskFile,
  readWrapPayload,
  sealedSize,
  TaskKey,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { Decrypter } from "age-encryption";
import { type Address, type Hex, stringToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { startTestChain, type TestChain } from "./chain.ts";
import { FakePeer } from "./fake-peer.ts";
import { aProfile, startTestProvider, type TestProvider } from "./provider.ts";

const SECRET = "a-secret-that-nodes-without-the-key-must-not-see";
const TEXT = `name: hello
template: batch
command: echo hello
env: [TOKEN]
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 1h }
`;
/** A point to which nothing can be encrypted. */
const LOW_ORDER: Hex = `0x01${"00".repeat(31)}`;

let chain: TestChain;
let consumer: { market: Market; address: Address; key: Hex };
let key: OutputKey;
let cheap: TestProvider;
let dear: TestProvider;

before(async () => {
  chain = await startTestChain();
  consumer = await chain.account(1_000);
  await consumer.market.deposit(500_000_000n);
  key = await deriveOutputKey(signerOf(privateKeyToAccount(consumer.key)), chain.network.deployment);
  cheap = await startTestProvider(chain);
  dear = await startTestProvider(chain, at(2_000_000n));
});
after(() => chain?.stop());

const at = (perVCpuHour: bigint, encryptionKey?: Hex) =>
  aProfile({
    posted: { perGpuHour: 0n, perVCpuHour },
    ...(encryptionKey === undefined ? {} : { encryptionKey }),
  });

function peerOf(providers: readonly TestProvider[]): FakePeer {
  const peer = new FakePeer();
  for (const provider of providers) peer.quotes.set(provider.node, (request) => provider.quote(request));
  return peer;
}

async function planned(providers: readonly TestProvider[]) {
  const { market, address } = consumer;
  const peer = peerOf(providers);
  const taskKey = deriveTaskKey(key);
  const bytes = stringToBytes(`an input with ${SECRET}`);
  const digest = `0x${createHash("sha256").update(bytes).digest("hex")}` as const;
  const source = {
    size: bytes.length,
    open: async function* (offset: number) {
      yield bytes.subarray(offset);
    },
  };
  const [token, terms, all, head] = await Promise.all([
    market.token(),
    market.terms(),
    market.nodes(),
    market.head(),
  ]);
  const prepared = prepareTask({
    file: parseTaskFile(TEXT),
    network: chain.network,
    token,
    inputs: await sealInputs([{ path: "a", digest, source }], taskKey),
    recipient: key.recipient,
    env: { TOKEN: SECRET },
  });
  const task = await sealTask(prepared, taskKey);
  const nodes = all.filter((node) => providers.some((provider) => provider.node === node.address));
  const { cap = 0n } = planTask(task.planOrder, nodes, { token, terms, now: head.timestamp });
  const asking = { market, peer, task, cap, nodes };
  return { ...asking, plan: await planQuotes({ ...asking, consumer: address }) };
}

async function grantsOf(taskId: Hex) {
  const logs = await consumer.market.publicClient.getContractEvents({
    address: chain.network.deployment.taskRegistry,
    abi: taskRegistryAbi,
    eventName: "KeyGranted",
    args: { taskId },
    fromBlock: 0n,
    strict: true,
  });
  return logs.map(({ args }) => args);
}

/** As the node does it. */
async function keyIn(
  wrap: Hex,
  operatorKey: Hex,
  generation = 1,
  from: Address = consumer.address,
): Promise<TaskKey> {
  const { salt, file } = decodeWrap(wrap);
  const decrypter = new Decrypter();
  decrypter.addIdentity(ageIdentity(nodeEncryptionSecret(operatorKey, generation)));
  return new TaskKey(readWrapPayload(await decrypter.decrypt(file), from), salt);
}
async function opened(by: TaskKey, sealed: Uint8Array): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const once = async function* () {
    yield sealed;
  };
  for await (const part of by.open(once())) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

describe("a private task that is awarded (rule 11)", () => {
  it("is on its nodes sealed, and its key is handed to the awarded one and the standby in the same transaction", async () => {
    const { plan, task, peer, ...asking } = await planned([cheap, dear]);
    assert.deepEqual(readersOf(plan, task.spec), { chosen: [cheap.node], standbys: [dear.node] });
    const { taskId, leaseId, hash, seeded } = await awardTask({ ...asking, task, peer, plan });
    assert.deepEqual([...seeded].sort(), [cheap.node, dear.node].sort());
    assert.equal((await consumer.market.task(taskId)).task.isPrivate, true);

    const { logs } = await consumer.market.publicClient.getTransactionReceipt({ hash });
    const grants = await grantsOf(taskId);
    assert.deepEqual(
      grants.map(({ node, keyVersion }) => [node, keyVersion]),
      [
        [cheap.node, 1],
        [dear.node, 1],
      ],
    );
    assert.ok(logs.length > grants.length);
    const first = grants[0]?.wrap ?? "0x";
    const { specBlob, salt } = decodeWrap(first);
    const blobs = [...peer.blobs];
    assert.equal(blobs.length, 4);
    for (const [name, bytes] of blobs) {
      assert.match(name, /\/sealed\//);
      assert.ok(!Buffer.from(bytes).includes(SECRET) && !Buffer.from(bytes).includes("echo hello"));
    }

    const own = await keyIn(first, cheap.operatorKey);
    const sealed =
      peer.blobs.get(peer.key(cheap.node, { kind: "sealed", digest: specBlob })) ?? new Uint8Array();
    assert.equal(sealed.length, sealedSize(task.specBytes.length));
    assert.deepEqual(decodeSpec(await opened(own, sealed), task.specDigest), task.spec);
    const standby = await keyIn(grants[1]?.wrap ?? "0x", dear.operatorKey);
    assert.deepEqual(standby.reveal(), own.reveal());
    await assert.rejects(keyIn(first, dear.operatorKey), "wrapped for another node");
    await assert.rejects(keyIn(first, cheap.operatorKey, 2), "wrapped for another key of it");
    await assert.rejects(keyIn(first, cheap.operatorKey, 1, dear.node), { code: "KEY_WRAP_INVALID" });

    // On another machine: the wallet and the chain are all that is needed.
    const found = await findTaskKey(consumer.market, key, taskId);
    assert.deepEqual([found.specBlob, found.key.salt, found.key.reveal()], [specBlob, salt, own.reveal()]);
    await assert.rejects(findTaskKey(consumer.market, key, leaseId), { code: "NOT_FOUND" });
    await consumer.market.cancel(taskId);
  });

  it("has a key of its own", async () => {
    assert.notDeepEqual(deriveTaskKey(key).reveal(), deriveTaskKey(key).reveal());
    const { salt } = deriveTaskKey(key);
    assert.deepEqual(deriveTaskKey(key, salt).reveal(), deriveTaskKey(key, salt).reveal());
  });

  it("hands no key to a node that has the sealed data and then does not sign", async () => {
    const third = await startTestProvider(chain, at(3_000_000n));
    const { plan, peer, task, ...asking } = await planned([cheap, dear, third]);
    assert.deepEqual(readersOf(plan, task.spec), { chosen: [cheap.node], standbys: [dear.node, third.node] });
    peer.quotes.set(cheap.node, async () => ({ refused: { reason: "lease-limit", values: {} } }));
    const agreed = { ...plan, atMost: 10_000_000n };
    const { taskId, leaseId, seeded } = await awardTask({ ...asking, peer, task, plan: agreed });
    assert.ok(seeded.includes(cheap.node));
    assert.equal((await consumer.market.task(leaseId)).lease.node, dear.node);
    const holders = (await grantsOf(taskId)).map(({ node }) => node);
    assert.deepEqual(holders, [dear.node, third.node]);
    await consumer.market.cancel(taskId);
  });

  it("is wrapped for the key that a node has by then, whatever it had when it was asked", async () => {
    const asking = await planned([cheap]);
    const next = nodeEncryptionKey(cheap.operatorKey, 2);
    await cheap.market.updateProfile(cheap.node, at(1_000_000n, next));
    const { taskId } = await awardTask(asking);
    const [grant] = await grantsOf(taskId);
    assert.equal(grant?.keyVersion, 2);
    await keyIn(grant?.wrap ?? "0x", cheap.operatorKey, 2);
    await consumer.market.cancel(taskId);
  });

  it("goes to no node to which nothing can be encrypted; another has it", async () => {
    const broken = await startTestProvider(chain, at(500_000n, LOW_ORDER));
    const { plan, ...asking } = await planned([broken, dear]);
    assert.deepEqual(readersOf(plan, asking.task.spec).chosen, [broken.node]);
    const { taskId, leaseId } = await awardTask({ ...asking, plan: { ...plan, atMost: 2_000_000n } });
    assert.equal((await consumer.market.task(leaseId)).lease.node, dear.node);
    assert.deepEqual(
      (await grantsOf(taskId)).map(({ node }) => node),
      [dear.node],
    );
    await consumer.market.cancel(taskId);
    const alone = await planned([broken]);
    await assert.rejects(awardTask(alone), { code: "NO_NODE_FITS" });
  });

  it("is not ordered on the open path, nor sent before it is sealed", async () => {
    const { market, peer, task, plan } = await planned([dear]);
    const posted = planTask(task.planOrder, await market.nodes(), {
      token: await market.token(),
      terms: await market.terms(),
      now: (await market.head()).timestamp,
    });
    await assert.rejects(submitTask({ market, peer, task, plan: posted }), { code: "PRIVATE_NEEDS_QUOTES" });
    const { sealed: _, ...unsealed } = task;
    await assert.rejects(awardTask({ market, peer, task: unsealed, cap: 2_000_000n, plan }), {
      code: "INTERNAL",
    });
    assert.equal(peer.puts.length, 0);
  });
});
