import { type Isolation, isDekuperError } from "@dekuper/protocol";
import { zeroAddress } from "viem";
import { asDekuperError } from "../cluster/api-errors.ts";
import { loadKubeconfig } from "../cluster/kubeconfig.ts";
import { KubernetesApi } from "../cluster/kubernetes-api.ts";
import { createKubernetesDriver } from "../cluster/kubernetes-driver.ts";
import { checkClock, checkGangs, checkGpus, checkRoom, type WireNode } from "./cluster-facts.ts";
import { sweepProbes } from "./leftovers.ts";
import { PROBED, probe } from "./probe.ts";
import { type DoctorCheck, type DoctorReport, failed, passed } from "./report.ts";
import { checkRights } from "./rights.ts";

export type { DoctorCheck, DoctorReport } from "./report.ts";

/** Owner of everything that probes make: no oracle's address, so that no oracle takes it for a lease. */
export const PROBE_NODE = zeroAddress;
const CALL_TIMEOUT_MS = 15_000;
const TIMEOUT_MS = 240_000;

export interface DoctorOptions {
  /** Default: the pod's own service account. */
  readonly kubeconfig?: string;
  /** busybox by digest, as the oracle will use it; the probes run in it. */
  readonly helperImage: string;
  readonly signal?: AbortSignal;
  /** Age at which a probe's namespaces count as left by one that was killed, seconds [600]. */
  readonly staleAfterSeconds?: number;
  /** How long a probe's pod may take to start, its image included, seconds [60]. */
  readonly startSeconds?: number;
}

/**
 * Probes a cluster before a node advertises it: makes a lease with the oracle's own driver, fences and pod options, looks
 * around from inside it, and believes nothing that it has not seen. Everything that it makes is removed again, also when it
 * is interrupted; what one that was killed left, the next one removes. Throws only if the cluster cannot be asked at all.
 */
export async function runDoctor(options: DoctorOptions): Promise<DoctorReport> {
  const { kubeconfig, helperImage } = options;
  const given = options.signal === undefined ? [] : [options.signal];
  const signal = AbortSignal.any([...given, AbortSignal.timeout(TIMEOUT_MS)]);
  const api = new KubernetesApi(loadKubeconfig(kubeconfig), CALL_TIMEOUT_MS);
  const shared = {
    node: PROBE_NODE,
    helperImage,
    cpuRequestShare: 0.02, // a full cluster has room for a probe
    ...(kubeconfig === undefined ? {} : { kubeconfig }),
  };
  const usual = createKubernetesDriver(shared);
  const plain = createKubernetesDriver({ ...shared, userNamespaces: false });
  try {
    const { gitVersion } = await api.get<{ gitVersion: string }>("/version", signal);
    const rights = await checkRights(api, signal);
    const about = [passed("api", `Kubernetes ${gitVersion} answers`), await checkClock(api, signal), rights];
    if (!rights.ok) return report([...about, ...PROBED.map(unproved)]);
    await Promise.all([usual.start(signal), plain.start(signal)]);
    const [capacity, nodes] = await Promise.all([
      usual.capacity(signal),
      api.list<WireNode>("/api/v1/nodes", {}, signal),
    ]);
    const { startSeconds = 60 } = options;
    const olderThanSeconds = options.staleAfterSeconds ?? 600;
    await sweepProbes(api, { node: PROBE_NODE, olderThanSeconds }, signal);
    const facts = [checkRoom(capacity), checkGpus(nodes), await checkGangs(api, signal)];
    const wish = { node: PROBE_NODE, image: helperImage, nodes, isolation: capacity.isolation, startSeconds };
    return report([...about, ...facts, ...(await probe(api, { usual, plain }, wish, signal))]);
  } catch (error) {
    throw isDekuperError(error) || signal.aborted ? error : asDekuperError(error, "be probed");
  } finally {
    await Promise.all([usual.stop(), plain.stop()]);
  }
}

function unproved(check: string): DoctorCheck {
  return failed(check, "not proved: without those rights nothing can be tried", "Grant the rights first.");
}

/** Pods are apart from the machine and from each other only if every probe of it says so. */
function report(checks: readonly DoctorCheck[]): DoctorReport {
  const probed = checks.filter(({ check }) => PROBED.includes(check));
  const isProved = probed.length === PROBED.length && probed.every(({ ok }) => ok);
  const isolation: Isolation = isProved ? "user-namespace" : "container";
  return { checks, isolation };
}
