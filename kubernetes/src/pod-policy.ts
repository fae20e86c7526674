import { setTimeout as delay } from "node:timers/promises";
import type { ApiClient } from "./api-client.ts";
import { groupPods, type PodFacts, type PodsByNamespace, resolvingPods } from "./ruleset.ts";

export interface PodPolicyOptions {
  api: ApiClient;
  /** Puts a grouping in force, and which of its pods may ask the cluster's DNS. */
  apply: (pods: PodsByNamespace, resolving: readonly string[]) => Promise<void>;
  onError: (error: unknown) => void;
  signal: AbortSignal;
  /** How often the pods are listed anew whatever the watch says. Default 30 s. */
  relistMs?: number;
}

interface PodObject {
  metadata: { uid: string; namespace: string };
  spec: { hostNetwork?: boolean; dnsPolicy?: string };
  status?: { phase?: string; podIP?: string };
}

interface PodList {
  metadata: { resourceVersion: string };
  items: PodObject[];
}

interface PodEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: PodObject;
}

const PODS = "/api/v1/pods";

/**
 * Lets pods of one Kubernetes namespace talk to each other for as long as the signal allows. The watch makes it quick;
 * the relist makes it right when a watch misses an event or says nothing at all. While the API server is away, the
 * last grouping stays in force.
 */
export async function followPods({
  api,
  apply,
  onError,
  signal,
  relistMs = 30_000,
}: PodPolicyOptions): Promise<void> {
  const inForce = new RulesetApplier(apply, onError);
  while (!signal.aborted) {
    const endOfRound = AbortSignal.timeout(relistMs);
    try {
      const list = await api.call<PodList>(PODS, { signal });
      const pods = new Map(list.items.map((pod) => [pod.metadata.uid, pod]));
      inForce.want(pods);
      const round = AbortSignal.any([signal, endOfRound]);
      await api.watch(watchPath(list.metadata.resourceVersion, relistMs), round, (event) => {
        record(pods, event as PodEvent);
        inForce.want(pods);
      });
    } catch (error) {
      if (signal.aborted) return;
      // A watch says in several ways that it was ended.
      if (endOfRound.aborted) continue;
      onError(error);
      await delay(500, undefined, { signal }).catch(() => undefined);
    }
  }
}

function watchPath(resourceVersion: string, relistMs: number): string {
  return `${PODS}?watch=1&resourceVersion=${resourceVersion}&timeoutSeconds=${Math.ceil(relistMs / 1000)}`;
}

function record(pods: Map<string, PodObject>, { type, object }: PodEvent): void {
  if (type === "ERROR") throw new Error(`watch ended: ${JSON.stringify(object)}`);
  if (type === "DELETED") pods.delete(object.metadata.uid);
  else if (type !== "BOOKMARK") pods.set(object.metadata.uid, object);
}

function factsOf({ metadata, spec, status }: PodObject): PodFacts {
  return {
    namespace: metadata.namespace,
    ip: status?.podIP,
    phase: status?.phase,
    hostNetwork: spec.hostNetwork ?? false,
    dnsPolicy: spec.dnsPolicy,
  };
}

/** Applies the latest wish only, one at a time, and nothing when nothing changed. */
class RulesetApplier {
  readonly #apply: PodPolicyOptions["apply"];
  readonly #onError: (error: unknown) => void;
  #inForce = "";
  #wanted: Grouping = { pods: new Map(), resolving: [] };
  #running = false;

  constructor(apply: PodPolicyOptions["apply"], onError: (error: unknown) => void) {
    this.#apply = apply;
    this.#onError = onError;
  }

  want(pods: ReadonlyMap<string, PodObject>): void {
    const facts = [...pods.values()].map(factsOf);
    const grouped = groupPods(facts);
    this.#wanted = { pods: grouped, resolving: resolvingPods(facts, grouped) };
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      while (fingerprint(this.#wanted) !== this.#inForce) {
        const wanted = this.#wanted;
        await this.#apply(wanted.pods, wanted.resolving);
        this.#inForce = fingerprint(wanted);
      }
    } catch (error) {
      this.#onError(error);
    } finally {
      this.#running = false;
    }
  }
}

interface Grouping {
  pods: PodsByNamespace;
  resolving: readonly string[];
}

function fingerprint({ pods, resolving }: Grouping): string {
  return JSON.stringify([[...pods], resolving]);
}
