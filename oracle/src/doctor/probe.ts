import type { Isolation } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { ClusterDriver } from "../cluster/driver.ts";
import type { KubernetesApi } from "../cluster/kubernetes-api.ts";
import { clockCheck, type WireNode } from "./cluster-facts.ts";
import { checkConfinement, checkUserNamespace } from "./confinement.ts";
import { checkPodSecurity, checkQuota } from "./fences.ts";
import { LeaseProbe } from "./lease-probe.ts";
import { removeNamespace } from "./leftovers.ts";
import type { Facts } from "./look-around.ts";
import { Neighbour } from "./neighbour.ts";
import { checkNetwork, NETWORK_CHECKS } from "./network.ts";
import { type DoctorCheck, failed, passed, reasonOf } from "./report.ts";
import { surroundingsOf, targetsOf } from "./targets.ts";

/** What must hold for the strongest class that a node may claim. */
export const PROBED: readonly string[] = [
  "pod security",
  "quota",
  "user namespace",
  "confinement",
  "probe",
  ...NETWORK_CHECKS,
  "from other pods",
  "DNS",
];
const REMOVE_MS = 60_000;

interface ProbeWish {
  readonly node: Hex;
  readonly image: string;
  readonly nodes: readonly WireNode[];
  readonly isolation: Isolation;
  /** How long a pod may take to start. */
  readonly startSeconds: number;
}

/** The oracle's driver as the cluster lets it be, and without user namespaces. */
export interface ProbeDrivers {
  readonly usual: ClusterDriver;
  readonly plain: ClusterDriver;
}

type Removable = Pick<LeaseProbe, "remove">;

/** Runs the probes and removes what they made, whatever happens between. */
export async function probe(
  api: KubernetesApi,
  drivers: ProbeDrivers,
  wish: ProbeWish,
  signal: AbortSignal,
): Promise<DoctorCheck[]> {
  const neighbour = new Neighbour(api, wish);
  const made: Removable[] = [{ remove: (until) => removeNamespace(api, neighbour.namespace, until) }];
  const checks: DoctorCheck[] = [];
  try {
    await look(api, drivers, wish, { neighbour, made, checks }, signal);
  } catch (error) {
    signal.throwIfAborted();
    const missing = PROBED.filter((name) => !checks.some(({ check }) => check === name));
    checks.push(
      ...missing.map((check) => failed(check, `not proved: ${reasonOf(error)}`, "Repair that first.")),
    );
  } finally {
    checks.push(await removeAll(made));
  }
  return checks;
}

async function look(
  api: KubernetesApi,
  drivers: ProbeDrivers,
  wish: ProbeWish,
  { neighbour, made, checks }: { neighbour: Neighbour; made: Removable[]; checks: DoctorCheck[] },
  signal: AbortSignal,
): Promise<void> {
  const { image, nodes } = wish;
  const { listener, hosts } = await neighbour.start(signal);
  const { dnsServer, dnsName, resolves, apiService } = await surroundingsOf(neighbour, signal);
  const targets = await targetsOf({ server: api.server, nodes, listener, hosts, apiService });
  const begin = (driver: ClusterDriver, isolation: Isolation): LeaseProbe => {
    const dns = { name: dnsName, server: dnsServer };
    const lease = new LeaseProbe(driver, api, { ...wish, isolation, dns, targets });
    made.push(lease);
    return lease;
  };
  const [podSecurity, nodeClock, { lease, facts, userNamespace }] = await Promise.all([
    checkPodSecurity(api, neighbour.namespace, image, signal),
    checkNodeClock(neighbour, signal),
    runLease(begin, drivers, wish.isolation, signal),
  ]);
  const { namespace, addresses } = await lease.place(signal);
  const reaches = async (hosts: readonly string[]) =>
    (await Promise.all(hosts.map((host) => neighbour.reaches(host, signal)))).includes(true);
  const controlReached = (await reaches(listener)) || (await reaches(listener));
  const leaseReached = await reaches(addresses);
  checks.push(
    nodeClock,
    podSecurity,
    await checkQuota(api, namespace, image, signal),
    userNamespace,
    checkConfinement(facts),
    ...checkNetwork({ facts, targets, controlReached, leaseReached, controlResolved: resolves }),
    (await lease.returnsItsInput(signal))
      ? passed("data", "inputs arrive and outputs come back, byte for byte")
      : failed(
          "data",
          "an output is not what the pod wrote",
          "See what stands between the oracle and the API server.",
        ),
  );
}

/** An API server may take pods that ask for a user namespace though the runtime cannot make one: then the rest is seen without. */
async function runLease(
  begin: (driver: ClusterDriver, isolation: Isolation) => LeaseProbe,
  { usual, plain }: ProbeDrivers,
  isolation: Isolation,
  signal: AbortSignal,
): Promise<{ lease: LeaseProbe; facts: Facts; userNamespace: DoctorCheck }> {
  const lease = begin(usual, isolation);
  try {
    const facts = await lease.run(signal);
    return { lease, facts, userNamespace: checkUserNamespace(facts) };
  } catch (error) {
    if (isolation !== "user-namespace" || signal.aborted) throw error;
    const withoutOne = begin(plain, "container");
    const facts = await withoutOne.run(signal);
    const userNamespace = failed(
      "user namespace",
      `a pod that asks for one does not start: ${reasonOf(error)}`,
      "Use a runtime that has them (containerd 2, CRI-O 1.25), or set userNamespaces: false in the oracle's configuration.",
    );
    return { lease: withoutOne, facts, userNamespace };
  }
}

/** Start and end of a run are told by its machine's clock. */
async function checkNodeClock(neighbour: Neighbour, signal: AbortSignal): Promise<DoctorCheck> {
  const before = Date.now();
  const { stdout } = await neighbour.run("date +%s", [], signal);
  const told = Number(Buffer.from(stdout).toString()) * 1000;
  return clockCheck("node clock", "the clock of the machine that runs the probe", told, before, Date.now());
}

async function removeAll(made: readonly Removable[]): Promise<DoctorCheck> {
  const signal = AbortSignal.timeout(REMOVE_MS); // its own: what was interrupted is removed too
  const results = await Promise.allSettled(made.map((one) => one.remove(signal)));
  const problems = results.flatMap((result) =>
    result.status === "rejected" ? [reasonOf(result.reason)] : [],
  );
  return problems.length === 0
    ? passed("clean-up", "everything that was made for this is gone")
    : failed("clean-up", problems.join("; "), "Run it again later: it removes what is left.");
}
