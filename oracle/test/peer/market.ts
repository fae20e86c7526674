import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  addressOfPublicKey,
  type BlobName,
  type Deployment,
  type DirectoryNode,
  encodeSpec,
  type Heartbeat,
  type PeerDirectory,
  type ReadScope,
  type ReadToken,
  readTokenDigest,
  readTypes,
  registryPublicKey,
  specDigest,
  taskDomain,
} from "@dekuper/protocol";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import { type Address, bytesToHex, getAddress, type Hex, recoverAddress } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type BlobQuotas, createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import type { ClaimSource } from "../../src/peer/claim-channels.ts";
import { createLogStore } from "../../src/peer/log-store.ts";
import type { CountPeer, PeerCounter, PeerLimits } from "../../src/peer/options.ts";
import type { LogStore, PeerNode, QuoteSource, ReadPolicy, ReportSource } from "../../src/peer/peer.ts";
import { createPeerNode } from "../../src/peer/peer-node.ts";
import { aTaskSpec } from "../task-spec.ts";

export const deployment: Deployment = {
  chainId: 31337,
  nodeRegistry: getAddress(`0x${"a1".repeat(20)}`),
  taskRegistry: getAddress(`0x${"a2".repeat(20)}`),
  paymentEscrow: getAddress(`0x${"a3".repeat(20)}`),
  liveness: getAddress(`0x${"a6".repeat(20)}`),
  forwarder: getAddress(`0x${"a7".repeat(20)}`),
  token: getAddress(`0x${"a4".repeat(20)}`),
  deploymentBlock: 1,
  deploymentBlockHash: `0x${"a5".repeat(32)}`,
};

/** The registry, as all nodes of a test see it. */
export class Registry implements PeerDirectory {
  readonly nodes = new Map<Address, DirectoryNode>();

  find(node: Address): DirectoryNode | undefined {
    return this.nodes.get(getAddress(node));
  }

  all(): readonly DirectoryNode[] {
    return [...this.nodes.values()];
  }

  register(key: Hex, multiaddrs: readonly string[], active = true): DirectoryNode {
    const entry = { ...identityOf(key), multiaddrs, active };
    this.nodes.set(entry.node, entry);
    return entry;
  }
}

export function identityOf(key: Hex): { node: Address; operatorPublicKey: Hex } {
  const publicKey = secp256k1.getPublicKey(Buffer.from(key.slice(2), "hex"), true);
  return { node: addressOfPublicKey(publicKey), operatorPublicKey: registryPublicKey(publicKey) };
}

/** A lease that a node holds: whose it is, and what may be read of it. */
export interface TestLease {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly consumer: Address;
  readonly outputRoot?: Hex;
  readonly spec?: Hex;
}

export interface TestNode {
  readonly key: Hex;
  readonly node: Address;
  readonly peer: PeerNode;
  readonly blobs: FileBlobStore;
  readonly logs: LogStore;
  readonly leases: TestLease[];
  readonly counts: Partial<Record<PeerCounter, number>>;
  /** Milliseconds that this node's clock is ahead. */
  skewMs: number;
  beat(change?: Partial<Heartbeat>): Promise<Heartbeat>;
  stop(): Promise<void>;
}

export interface TestNodeOptions {
  readonly registry: Registry;
  readonly key?: Hex;
  readonly limits?: Partial<PeerLimits>;
  readonly quotas?: Partial<BlobQuotas>;
  readonly instanceId?: string;
  /** Not in the registry: a stranger with a daemon. */
  readonly unregistered?: boolean;
  /** Registered under another address than where it listens. */
  readonly registeredAt?: readonly string[];
  readonly deployment?: Deployment;
  readonly quotes?: QuoteSource;
  readonly reports?: ReportSource;
  readonly claims?: ClaimSource;
}

/** A real peer node on loopback with stores of its own, registered where it listens. */
export async function startTestNode(options: TestNodeOptions): Promise<TestNode> {
  const { registry, key = generatePrivateKey(), instanceId = randomBytes(16).toString("hex") } = options;
  const dir = await mkdtemp(join(tmpdir(), "dekuper-peer-"));
  const clock = { skewMs: 0, now: () => Date.now() + clock.skewMs };
  const blobs = await createBlobStore({
    dir: join(dir, "blobs"),
    clock,
    quotas: { minFreeBytes: 0, ...options.quotas },
  });
  const logs = createLogStore({ dir: join(dir, "logs") });
  const leases: TestLease[] = [];
  const counts: Partial<Record<PeerCounter, number>> = {};
  const count: CountPeer = (counter, by = 1) => {
    counts[counter] = (counts[counter] ?? 0) + by;
  };
  const silent = () => undefined;
  const peer = createPeerNode({
    operatorPrivateKey: key,
    listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"],
    deployment: options.deployment ?? deployment,
    directory: registry,
    blobStore: blobs,
    logStore: logs,
    readPolicy: policyOf(leases),
    log: { debug: silent, info: silent, warn: silent },
    clock,
    count,
    dialIntervalMs: 100,
    exchangeIntervalMs: 300,
    ...(options.quotes === undefined ? {} : { quotes: options.quotes }),
    ...(options.reports === undefined ? {} : { reports: options.reports }),
    ...(options.claims === undefined ? {} : { claims: options.claims }),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  await peer.start();
  const { node } = identityOf(key);
  if (options.unregistered !== true) registry.register(key, options.registeredAt ?? peer.multiaddrs);
  let seq = 0;
  return {
    key,
    node,
    peer,
    blobs,
    logs,
    leases,
    counts,
    get skewMs() {
      return clock.skewMs;
    },
    set skewMs(ms: number) {
      clock.skewMs = ms;
    },
    beat: async (change = {}) => {
      seq = Math.max(seq + 1, Date.now());
      const heartbeat: Heartbeat = { ...aHeartbeat(node), instanceId, seq, ...change };
      await peer.publishHeartbeat(heartbeat);
      return heartbeat;
    },
    stop: async () => {
      await peer.stop();
      blobs.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

export function aHeartbeat(node: Address): Heartbeat {
  return {
    version: 1,
    chainId: deployment.chainId,
    registry: deployment.nodeRegistry,
    node,
    instanceId: "ab".repeat(16),
    seq: Date.now(),
    blockNumber: 100,
    blockHash: `0x${"0b".repeat(32)}`,
    issuedAt: Date.now(),
    freeGpus: 1,
    leases: 0,
  };
}

function policyOf(leases: readonly TestLease[]): ReadPolicy {
  const find = (leaseId: Hex, attempt: number) =>
    leases.find((lease) => lease.leaseId === leaseId && lease.attempt === attempt);
  return {
    consumerOf: (leaseId, attempt) => find(leaseId, attempt)?.consumer,
    outputOwner: (root) => leases.find(({ outputRoot }) => outputRoot === root),
    specOf: (leaseId, attempt) => find(leaseId, attempt)?.spec,
    verifySignature: async ({ consumer, digest, signature }) =>
      (await recoverAddress({ hash: digest, signature }).catch(() => undefined)) === consumer,
  };
}

export const consumer = privateKeyToAccount(generatePrivateKey());

/** A read token as the consumer's wallet signs it. */
export async function aToken(
  lease: { leaseId: Hex; attempt: number },
  scope: ReadScope,
  change: Partial<ReadToken> = {},
  signer = consumer,
): Promise<ReadToken> {
  const unsigned = {
    chainId: deployment.chainId,
    registry: deployment.taskRegistry,
    leaseId: lease.leaseId,
    attempt: lease.attempt,
    scope,
    expiry: Math.floor(Date.now() / 1000) + 600,
    nonce: bytesToHex(randomBytes(32)),
    ...change,
  };
  const signature = await signer.signTypedData({
    domain: taskDomain(unsigned.chainId, unsigned.registry),
    types: readTypes,
    primaryType: "Read",
    message: { ...unsigned, chainId: BigInt(unsigned.chainId), expiry: BigInt(unsigned.expiry) },
  });
  const token = { ...unsigned, signature };
  readTokenDigest(token); // what the node computes must not throw for any of them
  return token;
}

export const leaseIdOf = (index: number): Hex => `0x${index.toString(16).padStart(64, "0")}`;

export function anInput(content: string | Uint8Array): { name: BlobName; bytes: Uint8Array } {
  const bytes = Buffer.from(content);
  return { name: { kind: "input", digest: `0x${createHash("sha256").update(bytes).digest("hex")}` }, bytes };
}

let specs = 0;
export function aSpecBlob(): { name: BlobName; bytes: Uint8Array } {
  const spec = aTaskSpec({ name: `task-${++specs}` });
  return { name: { kind: "spec", digest: specDigest(spec) }, bytes: encodeSpec(spec) };
}

/** Bytes in parts. */
export async function* inParts(bytes: Uint8Array, size = 16 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function collect(from: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of from) parts.push(part);
  return Buffer.concat(parts);
}

/** Waits for what the network brings about by itself; never asserts how fast. */
export async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`it never came true that ${what}`);
    await sleep(20);
  }
}
