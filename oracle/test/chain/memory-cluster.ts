import { digestOf, encodeManifest, type TaskSpec } from "@dekuper/protocol";
import { pack } from "tar-stream";
import type { Hex } from "viem";
import type {
  AttemptObservation,
  AttemptOrder,
  AttemptRef,
  AttemptStage,
  ClusterDriver,
  SentFile,
} from "../../src/cluster/driver.ts";

/** What a pod was sent before its run. */
interface Received {
  readonly spec: TaskSpec;
  /** By path under /input. */
  readonly inputs: Readonly<Record<string, string>>;
  /** By path under CHECKPOINT_DIR. */
  readonly checkpoint: Readonly<Record<string, string>>;
}

interface Pod {
  readonly order: AttemptOrder;
  readonly uid: string;
  readonly createdAt: number;
  stage: AttemptStage;
  startedAt?: number;
  finishedAt?: number;
}

const seconds = () => Math.floor(Date.now() / 1000);
const keyOf = ({ leaseId, attempt }: AttemptRef) => `${leaseId}:${attempt}`;
const EMPTY_TAR = new Uint8Array(1024);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

async function textOf(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString();
}

/** A cluster whose pods are entries in a map: for tests of the daemon that move the chain and not the cluster. */
export class MemoryCluster implements ClusterDriver {
  /** Every pod that was ever made, by lease and attempt. */
  readonly made: string[] = [];
  /** The namespaces that have gone. */
  readonly tornDown: string[] = [];
  /** The tar that every run leaves in /output. */
  output: Uint8Array = EMPTY_TAR;
  /** What every run prints. */
  log: Uint8Array = new Uint8Array();
  /** Is told of each namespace before it goes. */
  beforeTearDown: (ref: AttemptRef) => Promise<void> = async () => undefined;
  /** By lease and attempt. */
  readonly received = new Map<string, Received>();
  /** What a task has in CHECKPOINT_DIR, by path. */
  checkpoint: Readonly<Record<string, string>> = {};
  private readonly pods = new Map<string, Pod>();
  private readonly images_: ReadonlySet<string>;
  private hint: () => void = () => undefined;

  constructor(images: readonly string[]) {
    this.images_ = new Set(images);
  }

  get running(): number {
    return [...this.pods.values()].filter(({ stage }) => stage === "running").length;
  }

  /** The main container ends with status 0, after so many seconds where the test has made the chain's time pass. */
  exit(ranFor?: number): void {
    for (const pod of this.pods.values()) {
      if (pod.stage !== "running") continue;
      pod.stage = "exited";
      pod.finishedAt = seconds();
      if (ranFor !== undefined) pod.startedAt = pod.finishedAt - ranFor;
    }
    this.hint();
  }

  start(): Promise<void> {
    return Promise.resolve();
  }
  stop(): Promise<void> {
    return Promise.resolve();
  }

  async observe(): Promise<readonly AttemptObservation[]> {
    return [...this.pods.values()].map(({ order, uid, stage, createdAt, startedAt, finishedAt }) => ({
      chainId: order.chainId,
      registry: order.registry,
      leaseId: order.leaseId,
      attempt: order.attempt,
      namespace: uid,
      stage,
      podUid: uid,
      createdAt,
      terminating: false,
      imageDigest: `0x${"ef".repeat(32)}` as const,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(finishedAt === undefined ? {} : { finishedAt, exitCode: 0 }),
    }));
  }

  onHint(listener: () => void): () => void {
    this.hint = listener;
    return () => {
      this.hint = () => undefined;
    };
  }

  async ensureAttempt(order: AttemptOrder): Promise<void> {
    const key = keyOf(order);
    if (this.pods.has(key)) return;
    this.made.push(key);
    this.pods.set(key, {
      order,
      uid: `pod-${this.made.length}`,
      createdAt: seconds(),
      stage: "awaiting-inputs",
    });
    this.hint();
  }

  async sendInputs(
    ref: AttemptRef,
    spec: TaskSpec,
    read: (digest: Hex) => AsyncIterable<Uint8Array>,
    _signal: AbortSignal,
    checkpoint: readonly SentFile[] = [],
  ): Promise<void> {
    const pod = this.pods.get(keyOf(ref));
    if (pod?.stage !== "awaiting-inputs") return;
    const received = { spec, inputs: {} as Record<string, string>, checkpoint: {} as Record<string, string> };
    for (const { path, digest } of spec.inputs) received.inputs[path] = await textOf(read(digest));
    for (const { path, open } of checkpoint) received.checkpoint[path] = await textOf(open());
    this.received.set(keyOf(ref), received);
    pod.stage = "running";
    pod.startedAt = seconds();
    this.hint();
  }

  extendRun(): Promise<void> {
    return Promise.resolve();
  }

  async stopMain(): Promise<void> {
    this.exit();
  }

  readOutput(): AsyncIterable<Uint8Array> {
    return once(this.output);
  }
  readCheckpoint(): AsyncIterable<Uint8Array> {
    const tar = pack();
    for (const [name, text] of Object.entries(this.checkpoint)) tar.entry({ name }, text);
    tar.finalize();
    return tar as unknown as AsyncIterable<Uint8Array>;
  }
  async checkpointManifest(): Promise<Uint8Array> {
    const entries = Object.entries(this.checkpoint).map(([path, text]) => {
      const bytes = Buffer.from(text);
      return { path, size: bytes.length, digest: digestOf(bytes) };
    });
    return entries.length === 0 ? new Uint8Array() : encodeManifest(entries);
  }
  readLog(): AsyncIterable<Uint8Array> {
    return once(this.log);
  }
  async cpuSeconds(): Promise<number> {
    return 1;
  }

  async release(ref: AttemptRef): Promise<void> {
    const pod = this.pods.get(keyOf(ref));
    if (pod !== undefined) pod.stage = "gone";
  }

  async tearDown(ref: AttemptRef): Promise<void> {
    await this.beforeTearDown(ref);
    this.tornDown.push(keyOf(ref));
    this.pods.delete(keyOf(ref));
  }

  async capacity() {
    return {
      gpus: 0,
      gpuModel: "",
      gpuMemoryMiB: 0,
      vCpus: 8,
      memoryMiB: 16_384,
      storageMiB: 65_536,
      isolation: "container" as const,
    };
  }
  async images() {
    return { names: this.images_, isComplete: true };
  }
  async acquireLeaderLock() {
    return { lost: new AbortController().signal, release: async () => undefined };
  }
}
