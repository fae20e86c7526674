import type {
  AttemptObservation,
  AttemptOrder,
  AttemptRef,
  AttemptStage,
  ClusterDriver,
} from "../../src/cluster/driver.ts";

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

  async sendInputs(ref: AttemptRef): Promise<void> {
    const pod = this.pods.get(keyOf(ref));
    if (pod?.stage !== "awaiting-inputs") return;
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
    return once(EMPTY_TAR);
  }
  async checkpointManifest(): Promise<Uint8Array> {
    return new Uint8Array();
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
