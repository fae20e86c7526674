import { DekuperError } from "@dekuper/protocol";
import type { V1Lease } from "@kubernetes/client-node";
import type { Hex } from "viem";
import { isConflict, isNotFound } from "./api-errors.ts";
import type { LeaderLock } from "./driver.ts";
import { type KubernetesApi, objectPath, type Wire } from "./kubernetes-api.ts";
import { labels, MANAGED_BY } from "./names.ts";

/** Where the oracle keeps what belongs to no attempt. */
export const SYSTEM_NAMESPACE = "dekuper-system";
const LEASE_SECONDS = 30;
const RENEW_MS = 10_000;
const MAX_WRITES = 4;

/**
 * Takes the `leaderLock`, a `coordination.k8s.io` Lease named after the node (rule 32). The same instance id takes it
 * back at once; another's counts until it has not been renewed for its duration, by the API server's clock.
 */
export async function acquireLeaderLock(
  api: KubernetesApi,
  { node, instanceId }: { node: Hex; instanceId: string },
  signal: AbortSignal,
): Promise<LeaderLock> {
  await api.apply(
    {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: SYSTEM_NAMESPACE, labels: { [labels.managedBy]: MANAGED_BY } },
    },
    signal,
  );
  const lock = new HeldLock(api, node, instanceId);
  await lock.take(signal);
  return lock;
}

class HeldLock implements LeaderLock {
  private readonly api: KubernetesApi;
  private readonly node: Hex;
  private readonly instanceId: string;
  private readonly ended = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private renewedAt = 0;

  constructor(api: KubernetesApi, node: Hex, instanceId: string) {
    this.api = api;
    this.node = node;
    this.instanceId = instanceId;
  }

  get lost(): AbortSignal {
    return this.ended.signal;
  }

  async take(signal: AbortSignal): Promise<void> {
    await this.write(signal);
    this.timer = setInterval(() => void this.renew(), RENEW_MS);
    this.timer.unref();
  }

  async release(): Promise<void> {
    clearInterval(this.timer);
    const signal = AbortSignal.timeout(5_000);
    try {
      const lease = await this.read(signal);
      if (lease?.spec?.holderIdentity !== this.instanceId) return;
      await this.api.replace({ ...lease, spec: { ...lease.spec, leaseDurationSeconds: 1 } }, signal);
    } catch {
      return; // it runs out by itself
    }
  }

  private async renew(): Promise<void> {
    try {
      await this.write(AbortSignal.timeout(RENEW_MS));
    } catch (error) {
      const taken = error instanceof DekuperError && error.code === "LEADER_LOCK_HELD";
      // An API server that is away takes the lock from nobody: only another holder does.
      if (taken) this.ended.abort(error);
    }
  }

  /**
   * A write that conflicts is looked at again: an earlier one of ours, given up for slow, may have arrived after all. Only
   * another holder is a reason to stop.
   */
  private async write(signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.writeOnce(signal);
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (attempt === MAX_WRITES) throw this.held("somebody who was quicker");
      }
    }
  }

  private async writeOnce(signal: AbortSignal): Promise<void> {
    const now = new Date(await this.api.clock(signal)).toISOString().replace("Z", "000Z");
    const current = await this.read(signal);
    const spec = { holderIdentity: this.instanceId, leaseDurationSeconds: LEASE_SECONDS, renewTime: now };
    if (current === undefined) {
      await this.api.create(
        { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: this.metadata(), spec },
        signal,
      );
    } else {
      this.requireFree(current, Date.parse(now));
      await this.api.replace({ ...current, spec: { ...current.spec, ...spec } }, signal);
    }
    this.renewedAt = Date.now();
  }

  private requireFree(lease: Wire<V1Lease>, now: number): void {
    const holder = lease.spec?.holderIdentity;
    if (holder === undefined || holder === this.instanceId) return;
    const until = Date.parse(lease.spec?.renewTime ?? "") + (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
    if (until > now) throw this.held(holder);
  }

  private held(holder: string): DekuperError {
    return new DekuperError(
      "LEADER_LOCK_HELD",
      `The leader lock of ${this.node} is held by instance ${holder}.`,
      {
        details: { node: this.node, holder, renewedAt: this.renewedAt },
      },
    );
  }

  private async read(signal: AbortSignal): Promise<Wire<V1Lease> | undefined> {
    try {
      const path = objectPath({
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: this.metadata(),
      });
      return await this.api.get<Wire<V1Lease>>(path, signal);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  private metadata() {
    return { name: `node-${this.node.toLowerCase()}`, namespace: SYSTEM_NAMESPACE };
  }
}
