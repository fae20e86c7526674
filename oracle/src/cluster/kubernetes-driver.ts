import { setTimeout as delay } from "node:timers/promises";
import {
  DekuperError,
  encodeManifest,
  type Isolation,
  isDekuperError,
  isolationClasses,
  type ManifestEntry,
  pathProblem,
  type TaskSpec,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import { ApiError, asDekuperError, isConflict, isNotFound } from "./api-errors.ts";
import { locked, renderJob } from "./attempt-job.ts";
import { renderFences, renderNamespace } from "./attempt-objects.ts";
import { clusterCapacity, clusterImages } from "./capacity.ts";
import type {
  AttemptObservation,
  AttemptOrder,
  AttemptRef,
  ClusterCapacity,
  ClusterDriver,
  ClusterImages,
  LeaderLock,
  SentFile,
} from "./driver.ts";
import { execText } from "./exec.ts";
import { HintWatch } from "./hint-watch.ts";
import { inputTar, sentFiles } from "./input-tar.ts";
import { loadKubeconfig } from "./kubeconfig.ts";
import { KubernetesApi } from "./kubernetes-api.ts";
import { acquireLeaderLock } from "./leader-lock.ts";
import { annotations, attemptLabels, names, namespaceOf, ownSelector } from "./names.ts";
import { cpuSecondsOf, observationOf, type WireJob, type WireNamespace, type WirePod } from "./observe.ts";
import { readSentTar } from "./output-tar.ts";
import { attemptResources } from "./resources.ts";
import {
  checkpointScript,
  limitScript,
  markScript,
  receiveScript,
  sendCheckpointScript,
  sendOutputScript,
} from "./scripts.ts";

export interface KubernetesDriverOptions {
  /** Path of a kubeconfig. Default: the pod's own service account. */
  readonly kubeconfig?: string;
  /** The operator's address: owner of everything made. */
  readonly node: Hex;
  /** busybox with sh, tar and sha256sum, by digest. */
  readonly helperImage: string;
  /** Pods in user namespaces where the cluster takes them [true]. */
  readonly userNamespaces?: boolean;
  /** Share of a lease's vCPUs that its pod requests [1]; limits stay. */
  readonly cpuRequestShare?: number;
  /** Seconds after which the watch for hints is made anew, so that one that was cut silently costs no more [240]. */
  readonly watchSeconds?: number;
  /** Called for each request to the API. */
  readonly onRequest?: (verb: string) => void;
}

const POLL_MS = 100;
/** How long after a container's end the API server may not know of it. */
const STATUS_DELAY_MS = 3_000;
const MAX_CHECKPOINT_BYTES = 8 * 1024 * 1024;

/** The oracle's hands in a Kubernetes cluster. Nothing is done before `start`. */
export function createKubernetesDriver(options: KubernetesDriverOptions): ClusterDriver {
  const api = new KubernetesApi(loadKubeconfig(options.kubeconfig), 15_000, options.onRequest);
  return new KubernetesDriver(api, options);
}

class KubernetesDriver implements ClusterDriver {
  private readonly api: KubernetesApi;
  private readonly options: KubernetesDriverOptions;
  private readonly hints: HintWatch;
  private userNamespaces: boolean;

  constructor(api: KubernetesApi, options: KubernetesDriverOptions) {
    this.api = api;
    this.options = options;
    this.userNamespaces = options.userNamespaces ?? true;
    this.hints = new HintWatch(api, ownSelector(options.node), options.watchSeconds);
  }

  async start(signal: AbortSignal): Promise<void> {
    await this.guard("answer", () => this.api.get("/version", signal));
    if (this.userNamespaces)
      this.userNamespaces = await this.guard("try a user namespace", () => this.takesUserNamespaces(signal));
    this.hints.start();
  }

  async stop(): Promise<void> {
    await this.hints.stop();
  }

  observe(signal: AbortSignal): Promise<readonly AttemptObservation[]> {
    return this.guard("list leases", async () => {
      const labelSelector = ownSelector(this.options.node);
      // Namespaces first: one that names its Job here has it in the later list too, unless the Job has been deleted.
      const namespaces = await this.api.list<WireNamespace>("/api/v1/namespaces", { labelSelector }, signal);
      const [jobs, pods] = await Promise.all([
        this.api.list<WireJob>("/apis/batch/v1/jobs", { labelSelector }, signal),
        this.api.list<WirePod>("/api/v1/pods", { labelSelector }, signal),
      ]);
      return namespaces.flatMap((namespace) => {
        const inside = ({ metadata }: { metadata?: { namespace?: string } }) =>
          metadata?.namespace === namespace.metadata?.name;
        return observationOf(namespace, jobs.find(inside), pods.find(inside)) ?? [];
      });
    });
  }

  onHint(listener: () => void): () => void {
    return this.hints.add(listener);
  }

  async ensureAttempt(order: AttemptOrder, signal: AbortSignal): Promise<void> {
    const { node, helperImage, cpuRequestShare } = this.options;
    this.requireIsolation(order);
    const resources = attemptResources(order.spec, cpuRequestShare);
    const podOptions = {
      helperImage,
      userNamespaces: this.userNamespaces,
      inputsTimeoutSeconds: order.deadlineSeconds,
    };
    await this.guard("make the lease's pod", async () => {
      const known = await this.find<WireNamespace>(namespacePath(order), signal);
      const jobUid = known?.metadata?.annotations?.[annotations.jobUid];
      // Created, not applied: one that somebody else makes meanwhile is a conflict, and does not become ours.
      const namespace = known ?? (await this.api.create(renderNamespace(node, order), signal));
      this.requireOwn(namespace, order);
      await Promise.all(renderFences(node, order, resources).map((fence) => this.api.apply(fence, signal)));
      const job = await this.find<WireJob>(jobPath(order), signal);
      if (jobUid !== undefined) {
        // The Job was made once. If it is gone, its run is over: it never comes back.
        if (job?.metadata?.uid === jobUid && job.spec?.suspend === true) await this.resume(order, signal);
        return;
      }
      const made =
        job ?? (await this.api.create(renderJob(node, order, resources, podOptions, true), signal));
      await this.api.apply(renderNamespace(node, order, made.metadata?.uid ?? ""), signal);
      await this.resume(order, signal);
    });
  }

  async sendInputs(
    ref: AttemptRef,
    spec: TaskSpec,
    read: (digest: Hex) => AsyncIterable<Uint8Array>,
    signal: AbortSignal,
    checkpoint: readonly SentFile[] = [],
  ): Promise<void> {
    try {
      await this.streamInputs(ref, sentFiles(spec, read, checkpoint), signal);
    } catch (error) {
      if (signal.aborted || isDekuperError(error, "BLOB_CORRUPT")) throw error;
      // The container ends when it has everything, sometimes ahead of the command in it that says so.
      if (!(await this.hasInputs(ref, signal))) throw error;
    }
  }

  async stopMain(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    await this.mark(ref, "stop", signal);
  }

  async extendRun(
    ref: AttemptRef,
    { runSeconds, deadlineSeconds }: Pick<AttemptOrder, "runSeconds" | "deadlineSeconds">,
    signal: AbortSignal,
  ): Promise<void> {
    // The cluster's clock first: a run that the wrapper lets go on must not be ended from outside.
    await this.guard("give the lease more time", () =>
      this.patchJob(ref, { activeDeadlineSeconds: deadlineSeconds }, signal),
    );
    await this.runInHelper(ref, limitScript, ["limit", String(runSeconds)], "more time", signal);
  }

  readOutput(ref: AttemptRef, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    return this.readTar(ref, sendOutputScript, signal);
  }

  readCheckpoint(ref: AttemptRef, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    return this.readTar(ref, sendCheckpointScript, signal);
  }

  private async *readTar(
    ref: AttemptRef,
    script: string,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      yield* readSentTar(this.api, await this.target(ref, names.helper, signal), script, signal);
    } catch (error) {
      if (signal.aborted) throw error;
      throw error instanceof DekuperError
        ? error
        : new DekuperError("OUTPUT_UNREADABLE", `The output could not be read: ${messageOf(error)}.`, {
            cause: error,
          });
    }
  }

  async checkpointManifest(ref: AttemptRef, signal: AbortSignal): Promise<Uint8Array> {
    const end = await this.exec(
      ref,
      names.helper,
      ["/bin/busybox", "sh", "-c", checkpointScript],
      undefined,
      signal,
      MAX_CHECKPOINT_BYTES,
    );
    const entries = Buffer.from(end.stdout)
      .toString("utf8")
      .split("\0")
      .flatMap((line): ManifestEntry[] => {
        const [, digest, size, path] = /^([0-9a-f]{64}) (\d+) ([\s\S]+)$/.exec(line) ?? [];
        if (digest === undefined || path === undefined || pathProblem(path) !== undefined) return [];
        return [{ digest: `0x${digest}`, size: Number(size), path }];
      });
    return encodeManifest(entries);
  }

  async *readLog(
    ref: AttemptRef,
    { follow }: { follow: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, void> {
    try {
      const { namespace, pod } = await this.target(ref, names.main, signal);
      yield* this.api.stream(
        `/api/v1/namespaces/${namespace}/pods/${pod}/log`,
        { container: names.main, follow },
        signal,
      );
    } catch (error) {
      if (signal.aborted) throw error;
      throw asDekuperError(error, "read the log");
    }
  }

  cpuSeconds(ref: AttemptRef, signal: AbortSignal): Promise<number | undefined> {
    return this.guard("look at the pod", async () => {
      const pod = await this.podOf(ref, signal);
      const main = pod?.status?.containerStatuses?.find(({ name }) => name === names.main);
      return cpuSecondsOf(main?.state?.terminated?.message);
    });
  }

  async release(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    await this.mark(ref, "done", signal);
  }

  async tearDown(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    await this.guard("delete the lease's namespace", async () => {
      for (;;) {
        const namespace = await this.find<WireNamespace>(namespacePath(ref), signal);
        if (namespace === undefined) return;
        this.requireOwn(namespace, ref);
        if (namespace.metadata?.deletionTimestamp === undefined) {
          await this.deletePods(ref, signal);
          await this.api.delete(namespacePath(ref), namespace.metadata?.uid ?? "", signal).catch(unlessGone);
        }
        await sleep(POLL_MS, signal);
      }
    });
  }

  capacity(signal: AbortSignal): Promise<ClusterCapacity> {
    return this.guard("list nodes", () => clusterCapacity(this.api, this.userNamespaces, signal));
  }

  images(signal: AbortSignal): Promise<ClusterImages> {
    return this.guard("list images", () => clusterImages(this.api, signal));
  }

  acquireLeaderLock(lock: { node: Hex; instanceId: string }, signal: AbortSignal): Promise<LeaderLock> {
    return this.guard("take the leader lock", () => acquireLeaderLock(this.api, lock, signal));
  }

  /** The inputs and helper have nothing to lose: the pods go at once, while their namespace still waits to be looked at. */
  private async deletePods(ref: AttemptRef, signal: AbortSignal): Promise<void> {
    for (const { metadata } of await this.podsOf(ref, signal)) {
      const path = `/api/v1/namespaces/${metadata?.namespace}/pods/${metadata?.name}`;
      await this.api.delete(path, metadata?.uid ?? "", signal, 1).catch(unlessGone);
    }
  }

  private async streamInputs(
    ref: AttemptRef,
    files: readonly SentFile[],
    signal: AbortSignal,
  ): Promise<void> {
    const { list, tarBytes, stdin } = await inputTar(files);
    const command = ["/bin/busybox", "sh", "-c", receiveScript, "receive", String(list), String(tarBytes)];
    const end = await this.exec(ref, names.inputs, command, stdin, signal);
    if (end.exitCode === 0) return;
    throw new DekuperError(
      end.exitCode === 4 ? "BLOB_CORRUPT" : "CLUSTER_UNREACHABLE",
      `The inputs did not arrive: ${end.stderr.trim() || `exit ${end.exitCode}`}.`,
      { retryable: true },
    );
  }

  /** Whether the container that waits for inputs has ended well; the kubelet takes a moment to tell. */
  private async hasInputs(ref: AttemptRef, signal: AbortSignal): Promise<boolean> {
    const end = Date.now() + STATUS_DELAY_MS;
    for (;;) {
      const pod = await this.podOf(ref, signal).catch(() => undefined);
      const inputs = pod?.status?.initContainerStatuses?.find(({ name }) => name === names.inputs);
      if (inputs?.state?.terminated !== undefined) return inputs.state.terminated.exitCode === 0;
      if (Date.now() > end) return false;
      await sleep(POLL_MS, signal);
    }
  }

  private resume(order: AttemptOrder, signal: AbortSignal): Promise<void> {
    return this.patchJob(order, { suspend: false }, signal);
  }

  private async patchJob(ref: AttemptRef, spec: object, signal: AbortSignal): Promise<void> {
    await this.api.call("PATCH", jobPath(ref), {
      body: { spec },
      contentType: "application/merge-patch+json",
      signal,
    });
  }

  private mark(ref: AttemptRef, mark: "stop" | "done", signal: AbortSignal): Promise<void> {
    return this.runInHelper(ref, markScript, ["mark", mark], `the mark "${mark}"`, signal);
  }

  private async runInHelper(
    ref: AttemptRef,
    script: string,
    args: readonly string[],
    what: string,
    signal: AbortSignal,
  ): Promise<void> {
    const command = ["/bin/busybox", "sh", "-c", script, ...args];
    const end = await this.exec(ref, names.helper, command, undefined, signal);
    if (end.exitCode !== 0)
      throw new DekuperError("CLUSTER_UNREACHABLE", `The helper did not take ${what}: ${end.stderr.trim()}.`);
  }

  private exec(
    ref: AttemptRef,
    container: string,
    command: readonly string[],
    stdin: AsyncIterable<Uint8Array> | undefined,
    signal: AbortSignal,
    maxBytes?: number,
  ) {
    return this.guard(`run a command in ${container}`, async () =>
      execText(this.api, await this.target(ref, container, signal), command, {
        signal,
        ...(stdin === undefined ? {} : { stdin }),
        ...(maxBytes === undefined ? {} : { maxBytes }),
      }),
    );
  }

  private async target(ref: AttemptRef, container: string, signal: AbortSignal) {
    const pod = await this.podOf(ref, signal);
    const name = pod?.metadata?.name;
    if (name === undefined) throw new ApiError(404, "NotFound", "the lease has no pod");
    return { namespace: namespaceOf(ref), pod: name, container };
  }

  private async podOf(ref: AttemptRef, signal: AbortSignal): Promise<WirePod | undefined> {
    return (await this.podsOf(ref, signal))[0];
  }

  private podsOf(ref: AttemptRef, signal: AbortSignal): Promise<WirePod[]> {
    const labelSelector = Object.entries(attemptLabels(this.options.node, ref))
      .map(([label, value]) => `${label}=${value}`)
      .join(",");
    return this.api.list<WirePod>(`/api/v1/namespaces/${namespaceOf(ref)}/pods`, { labelSelector }, signal);
  }

  /** Asks the API server, without making anything: an old one drops the field or refuses it. */
  private async takesUserNamespaces(signal: AbortSignal): Promise<boolean> {
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "dekuper-probe", namespace: "default" },
      spec: {
        hostUsers: false,
        automountServiceAccountToken: false,
        containers: [{ name: "probe", image: this.options.helperImage, securityContext: locked }],
      },
    };
    try {
      const answer = await this.api.create(pod, signal, true);
      return answer.spec.hostUsers === false;
    } catch (error) {
      if (isConflict(error)) return true;
      if (error instanceof ApiError && error.status < 500) return false;
      throw error;
    }
  }

  /** Undefined: there is no such object. */
  private async find<T>(path: string, signal: AbortSignal): Promise<T | undefined> {
    try {
      return await this.api.get<T>(path, signal);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** What was ordered is what runs, or nothing. */
  private requireIsolation({ spec }: AttemptOrder): void {
    const { isolation } = spec.resources;
    const has: Isolation = this.userNamespaces ? "user-namespace" : "container";
    if (isolationClasses.indexOf(isolation) <= isolationClasses.indexOf(has)) return;
    throw new DekuperError(
      "CLUSTER_REFUSED",
      `The lease wants ${isolation} isolation; the cluster has ${has}.`,
      {
        details: { isolation, has },
      },
    );
  }

  /** A namespace of that name that somebody else made is never touched. */
  private requireOwn(
    namespace: { metadata?: { name?: string; labels?: Record<string, string> } },
    ref: AttemptRef,
  ): void {
    const wanted = attemptLabels(this.options.node, ref);
    const found = namespace.metadata?.labels ?? {};
    if (Object.entries(wanted).every(([label, value]) => found[label] === value)) return;
    throw new DekuperError(
      "CLUSTER_REFUSED",
      `Namespace ${namespace.metadata?.name} exists and is not this oracle's.`,
    );
  }

  private async guard<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw asDekuperError(error, doing);
    }
  }
}

function namespacePath(ref: AttemptRef): string {
  return `/api/v1/namespaces/${namespaceOf(ref)}`;
}

function jobPath(ref: AttemptRef): string {
  return `/apis/batch/v1/namespaces/${namespaceOf(ref)}/jobs/${names.job}`;
}

function unlessGone(error: unknown): void {
  if (!isNotFound(error) && !isConflict(error)) throw error;
}

function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return delay(milliseconds, undefined, { signal });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
