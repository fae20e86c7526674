import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ApiClient } from "./api-client.ts";
import { enterSystemCgroup } from "./cgroups.ts";
import { applyClusterObjects } from "./cluster-objects.ts";
import { apiServerUrl, type Component, planComponents, STOP_ORDER } from "./components.ts";
import { writeConfiguration } from "./configuration.ts";
import { KubernetesError } from "./errors.ts";
import { adoptImageStore, answersAt, importImage } from "./images/image-store.ts";
import type { ClusterLayout } from "./layout.ts";
import { prepareMounts } from "./mounts.ts";
import { applyRuleset } from "./network.ts";
import { advertiseGpus, isReady, type NodeObject, nodePath, showsGpus } from "./node.ts";
import { createPki, type Identity, renderKubeconfig } from "./pki.ts";
import { followPods } from "./pod-policy.ts";
import { renderRuleset } from "./ruleset.ts";
import {
  type ClusterPhase,
  type ClusterSettings,
  readJson,
  type SupervisorStatus,
  writeJson,
  writeWhole,
} from "./settings.ts";
import { SupervisedProcess } from "./supervised-process.ts";

/** How long a start may take before it is given up. */
const START_DEADLINE_MS = 120_000;
const HOPELESS_RESTARTS = 5;
const POLL_MS = 40;
/** How often the node is looked at once all runs. */
const NODE_CHECK_MS = 3000;
/** The components keep nothing in memory that matters, so they get little time to end by themselves. */
const STOP_GRACE_MS = 2000;

const NODE_IDENTITIES: Identity[] = ["controller-manager", "scheduler", "kubelet", "dns"];

/** Runs one cluster: starts its parts in order, keeps them running, and stops them in order. */
export class Supervisor {
  readonly #layout: ClusterLayout;
  readonly #settings: ClusterSettings;
  readonly #processes = new Map<string, SupervisedProcess>();
  readonly #stopping = new AbortController();
  readonly #startedAt = performance.now();
  readonly #log: (event: string, fields?: Record<string, unknown>) => void;
  #status: SupervisorStatus = { phase: "starting", components: [], timeline: {} };
  #following: Promise<unknown> = Promise.resolve();

  constructor(
    layout: ClusterLayout,
    settings: ClusterSettings,
    log: (event: string, fields?: Record<string, unknown>) => void,
  ) {
    this.#layout = layout;
    this.#settings = settings;
    this.#log = log;
  }

  /** Brings the cluster up; it is ready when this returns. */
  async start(): Promise<void> {
    const { pkiDir, logDir, etcdDir, podLogsDir } = this.#layout;
    this.#publish("starting");
    for (const folder of [logDir, podLogsDir]) mkdirSync(folder, { recursive: true });
    mkdirSync(etcdDir, { recursive: true, mode: 0o700 });
    enterSystemCgroup(this.#layout.cgroup);
    await Promise.all([
      prepareMounts(this.#layout),
      this.#adoptImages(),
      createPki(pkiDir, this.#settings.name, this.#settings.addresses),
    ]);
    mkdirSync(this.#layout.containerdTmpDir);
    this.#writeFiles();
    this.#mark("prepared");
    const components = planComponents(this.#layout, this.#settings);
    this.#startThose(components, "nothing");
    const api = new ApiClient({ server: apiServerUrl(this.#settings), pkiDir, identity: "admin" });
    await this.#until("api", () =>
      api.call("/livez", { timeoutMs: 1000 }).then(
        () => true,
        () => false,
      ),
    );
    this.#startThose(components, "api");
    await this.#until("runtime", () => answersAt(this.#layout.containerdSocket));
    this.#startThose(components, "api-and-runtime");
    await Promise.all([this.#addMissingImages(), this.#applyObjects(api), this.#untilNodeReady(api)]);
    this.#following = Promise.all([this.#followPods(api), this.#followNode(api)]);
    this.#mark("ready");
    this.#publish("ready");
  }

  /** Stops every part. Pods are left to whoever removes the cluster's cgroups. */
  async stop(): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    this.#stopping.abort();
    this.#publish("stopping");
    for (const stage of STOP_ORDER) {
      await Promise.all(stage.map((name) => this.#processes.get(name)?.stop(STOP_GRACE_MS)));
    }
    await this.#following;
    this.#publish("stopped");
  }

  /** Records why the cluster did not come up. */
  fail(error: unknown): void {
    const code = error instanceof KubernetesError ? error.code : "CLUSTER_FAILED";
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof KubernetesError ? error.hint : undefined;
    this.#status.error = { code, message, ...(hint ? { hint } : {}) };
    this.#publish("failed");
  }

  #writeFiles(): void {
    const { configDir, kubeconfig, pkiDir } = this.#layout;
    writeConfiguration(this.#layout, this.#settings);
    const server = apiServerUrl(this.#settings);
    const render = (identity: Identity): string =>
      renderKubeconfig(pkiDir, this.#settings.name, identity, server);
    for (const identity of NODE_IDENTITIES)
      writeWhole(join(configDir, `${identity}.kubeconfig`), render(identity), 0o600);
    writeWhole(kubeconfig, render("admin"), 0o600);
  }

  async #adoptImages(): Promise<void> {
    // Of an earlier run of this state folder there are containers too, which containerd knows: keep its root.
    if (existsSync(join(this.#layout.containerdDir, "io.containerd.metadata.v1.bolt"))) return;
    await adoptImageStore(this.#settings.imageStore, this.#layout.containerdDir);
    writeJson(join(this.#layout.containerdDir, "images.json"), this.#settings.images);
  }

  /** An earlier run may have had fewer images. */
  async #addMissingImages(): Promise<void> {
    const record = join(this.#layout.containerdDir, "images.json");
    const present = new Set(
      (readJson<{ reference: string }[]>(record) ?? []).map(({ reference }) => reference),
    );
    const missing = this.#settings.images.filter(({ reference }) => !present.has(reference));
    for (const image of missing)
      await importImage(this.#settings.binDir, this.#layout.containerdSocket, image);
    if (missing.length > 0) writeJson(record, this.#settings.images);
  }

  #startThose(components: Component[], needs: Component["needs"]): void {
    for (const component of components.filter((candidate) => candidate.needs === needs)) {
      const supervised = new SupervisedProcess(component, {
        netnsPath: this.#layout.netnsPath,
        logDir: this.#layout.logDir,
        onChange: () => this.#publish(this.#status.phase),
        onCrash: (name, exit, restartInMs) => this.#log("component crashed", { name, exit, restartInMs }),
      });
      this.#processes.set(component.name, supervised);
      supervised.start();
    }
  }

  async #applyObjects(api: ApiClient): Promise<void> {
    await this.#until("objects", () =>
      applyClusterObjects(api).then(
        () => true,
        () => false,
      ),
    );
    // A pod is refused in a namespace without its service account; `default` is there from the start.
    await this.#until("account", () =>
      api.call("/api/v1/namespaces/default/serviceaccounts/default").then(
        () => true,
        () => false,
      ),
    );
  }

  async #untilNodeReady(api: ApiClient): Promise<void> {
    const since = Date.now();
    await this.#until("node", async () => {
      const node = await api.call<NodeObject>(nodePath(this.#settings.name)).catch(() => undefined);
      if (!node) return false;
      await this.#advertise(api, node);
      return isReady(node, since) && showsGpus(node, this.#settings.gpus);
    });
  }

  async #advertise(api: ApiClient, node: NodeObject): Promise<void> {
    const { gpus, name } = this.#settings;
    if (!gpus || showsGpus(node, gpus)) return;
    await advertiseGpus(api, name, gpus).catch((error: unknown) =>
      this.#logError("gpus not advertised", error),
    );
  }

  #followPods(api: ApiClient): Promise<void> {
    return followPods({
      api,
      apply: (pods, resolving) =>
        applyRuleset(this.#layout.netnsPath, renderRuleset(this.#settings.addresses, pods, resolving)),
      onError: (error) => this.#logError("pod policy", error),
      signal: this.#stopping.signal,
    });
  }

  /** A kubelet that starts again registers without GPUs. */
  async #followNode(api: ApiClient): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const node = await api
        .call<NodeObject>(nodePath(this.#settings.name), { signal })
        .catch(() => undefined);
      if (node) await this.#advertise(api, node);
      await delay(NODE_CHECK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  async #until(step: string, isDone: () => Promise<boolean>): Promise<void> {
    const { signal } = this.#stopping;
    while (!(await isDone())) {
      if (signal.aborted)
        throw new KubernetesError("CLUSTER_FAILED", "the cluster was stopped while it started");
      this.#refuseCrashLoop();
      if (performance.now() - this.#startedAt > START_DEADLINE_MS) {
        throw new KubernetesError(
          "CLUSTER_FAILED",
          `the cluster did not come up: still waiting for "${step}"`,
          {
            hint: `read the logs in ${this.#layout.logDir}`,
          },
        );
      }
      await delay(POLL_MS);
    }
    this.#mark(step);
  }

  /** A part that dies again and again while the cluster starts will not come up by waiting. */
  #refuseCrashLoop(): void {
    const looping = [...this.#processes.values()].find((one) => one.status().restarts >= HOPELESS_RESTARTS);
    if (!looping) return;
    throw new KubernetesError("CLUSTER_FAILED", `${looping.name} dies again and again`, {
      hint: `read ${join(this.#layout.logDir, `${looping.name}.log`)}`,
    });
  }

  #mark(step: string): void {
    this.#status.timeline[step] = Math.round(performance.now() - this.#startedAt);
  }

  #logError(event: string, error: unknown): void {
    if (!this.#stopping.signal.aborted)
      this.#log(event, { error: error instanceof Error ? error.message : error });
  }

  #publish(phase: ClusterPhase): void {
    this.#status.phase = phase;
    this.#status.components = [...this.#processes.values()].map((one) => one.status());
    writeJson(this.#layout.statusFile, this.#status);
  }
}
