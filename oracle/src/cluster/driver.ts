import type { Isolation, TaskSpec } from "@dekuper/protocol";
import type { Hex } from "viem";

/** One try of one lease: what every object in the cluster is keyed and labelled by. */
export interface AttemptRef {
  readonly chainId: number;
  /** TaskRegistry. */
  readonly registry: Hex;
  readonly leaseId: Hex;
  readonly attempt: number;
}

/** What has to run for an attempt. */
export interface AttemptOrder extends AttemptRef {
  readonly taskId: Hex;
  readonly spec: TaskSpec;
  /** Seconds that the main container may run; the wrapper stops it then, so that output can still be taken. */
  readonly runSeconds: number;
  /** The Job's `activeDeadlineSeconds`, from final data (rule 30). */
  readonly deadlineSeconds: number;
  /** Which member of its gang it is; left out: it is alone. */
  readonly rank?: { readonly index: number; readonly count: number };
  /** The pod waits for a checkpoint as it does for inputs. */
  readonly resumes?: boolean;
}

/** A file that goes into a pod before its main container starts. Opened once for each try, in the order of their list. */
export interface SentFile {
  readonly path: string;
  readonly digest: Hex;
  readonly size: number;
  readonly open: () => AsyncIterable<Uint8Array>;
}

/**
 * Where an attempt stands in the cluster.
 * - `pending`: objects exist, no container waits for inputs yet (scheduling, pulling an image)
 * - `awaiting-inputs`: the helper waits for the tar
 * - `running`: the main container runs
 * - `exited`: the main container has ended and the helper holds /output
 * - `gone`: the pod ended or vanished without the helper having been emptied; nothing more can be read from it
 */
export type AttemptStage = "pending" | "awaiting-inputs" | "running" | "exited" | "gone";

/** What the cluster says of one attempt. Times in Unix seconds by the cluster's clock. */
export interface AttemptObservation extends AttemptRef {
  readonly namespace: string;
  readonly stage: AttemptStage;
  /** Why it is pending or gone, in Kubernetes' words, such as `ImagePullBackOff` or `Evicted`. */
  readonly reason?: string;
  readonly podUid?: string;
  readonly podName?: string;
  readonly createdAt: number;
  readonly scheduledAt?: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly exitCode?: number;
  readonly outOfMemory?: boolean;
  /** The wrapper ended the run because its time was over. */
  readonly timeLimit?: boolean;
  /** As the runtime resolved it, 32 bytes. */
  readonly imageDigest?: Hex;
  /** The namespace is being deleted. */
  readonly terminating: boolean;
}

/** What the cluster has and what it lets us build, as `doctor` and the node's profile show it. */
export interface ClusterCapacity {
  readonly gpus: number;
  /** NVIDIA's product label, empty without GPUs. */
  readonly gpuModel: string;
  readonly gpuMemoryMiB: number;
  readonly vCpus: number;
  readonly memoryMiB: number;
  readonly storageMiB: number;
  /** The strongest class that was probed. */
  readonly isolation: Isolation;
}

/** The images that the cluster's schedulable nodes have, as their kubelets last said. */
export interface ClusterImages {
  /** Every name of every image, those by digest (`host/name@sha256:...`) and those by tag. */
  readonly names: ReadonlySet<string>;
  /** A kubelet names 50 images by default: where one names as many, there may be more. */
  readonly isComplete: boolean;
}

/**
 * The oracle's hands in one Kubernetes cluster. Every call is idempotent and safe to repeat after a crash;
 * nothing that the oracle did not make is touched. Errors are `CLUSTER_UNREACHABLE` (retryable) or `CLUSTER_REFUSED`.
 */
export interface ClusterDriver {
  start(signal: AbortSignal): Promise<void>;
  stop(): Promise<void>;
  /** Everything of this oracle's, live from the API server. Throws `CLUSTER_UNREACHABLE` rather than answer with less. */
  observe(signal: AbortSignal): Promise<readonly AttemptObservation[]>;
  /** Called whenever something of ours may have changed; a hint only, a timer relists. */
  onHint(listener: () => void): () => void;
  /** Namespace, policies and quota first, then the Job: server-side apply with one field manager. */
  ensureAttempt(order: AttemptOrder, signal: AbortSignal): Promise<void>;
  /**
   * Streams the inputs, and the files of a checkpoint, into the waiting helper; the main container starts after it. `read`
   * opens an input's bytes by digest.
   */
  sendInputs(
    ref: AttemptRef,
    spec: TaskSpec,
    read: (digest: Hex) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    checkpoint?: readonly SentFile[],
  ): Promise<void>;
  /** Gives a running pod new clocks, as `AttemptOrder` has them. */
  extendRun(
    ref: AttemptRef,
    clocks: Pick<AttemptOrder, "runSeconds" | "deadlineSeconds">,
    signal: AbortSignal,
  ): Promise<void>;
  /** Asks the main container to end (TERM, then KILL); output stays readable. */
  stopMain(ref: AttemptRef, signal: AbortSignal): Promise<void>;
  /** /output as a tar stream from the helper, after the main container ended. Ends normally only if length, digest and exit status agree, else throws `OUTPUT_UNREADABLE`. */
  readOutput(ref: AttemptRef, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** CHECKPOINT_DIR as a tar stream while the task runs and may change it; ends as `readOutput` does. */
  readCheckpoint(ref: AttemptRef, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** The manifest lines of CHECKPOINT_DIR while it runs; empty when there are none. */
  checkpointManifest(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array>;
  /** The main container's log from the API server; `follow` until it ends. */
  readLog(ref: AttemptRef, options: { follow: boolean }, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** CPU seconds that the main container used, where the cluster can tell. */
  cpuSeconds(ref: AttemptRef, signal: AbortSignal): Promise<number | undefined>;
  /** Lets the helper end, so that the Job completes. After it nothing can be read. */
  release(ref: AttemptRef, signal: AbortSignal): Promise<void>;
  /** Deletes the attempt's namespace and waits until it is gone or `signal` fires. */
  tearDown(ref: AttemptRef, signal: AbortSignal): Promise<void>;
  capacity(signal: AbortSignal): Promise<ClusterCapacity>;
  /** The images that are on the nodes already; an image that was just imported shows within a minute. */
  images(signal: AbortSignal): Promise<ClusterImages>;
  /** `leaderLock`: one daemon per key. Throws `LEADER_LOCK_HELD` naming the holder; taken back at once by the same instance id. */
  acquireLeaderLock(lock: { node: Hex; instanceId: string }, signal: AbortSignal): Promise<LeaderLock>;
}

/** A held `leaderLock`. */
export interface LeaderLock {
  /** Fires when the lock is lost; the daemon exits. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}
