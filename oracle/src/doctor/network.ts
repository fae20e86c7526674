import type { Facts, Target } from "./look-around.ts";
import { type DoctorCheck, failed, passed } from "./report.ts";

/** What both sides of the network probe found. */
export interface NetworkFindings {
  /** From inside the lease's pod. */
  readonly facts: Facts;
  readonly targets: readonly Target[];
  /** A pod reached another of its own namespace, neither of them fenced. */
  readonly controlReached: boolean;
  /** A stranger's pod reached the lease's. */
  readonly leaseReached: boolean;
  /** The stranger's pod resolved a name that the lease's was to try. */
  readonly controlResolved: boolean;
}

const POLICY_HINT =
  "Pods reach each other: install a NetworkPolicy controller, such as Calico or Cilium, that enforces default-deny.";
const HINTS: Readonly<Record<string, string>> = {
  "other pods": POLICY_HINT,
  metadata:
    "Install a NetworkPolicy controller: the metadata service hands out the machine's own credentials.",
  "API server": POLICY_HINT,
  kubelet: POLICY_HINT,
  outside: POLICY_HINT,
  IPv6: "The NetworkPolicy controller must enforce policies for IPv6 too, or pods must have none.",
};

/** Which checks belong to the network; each is there whatever was found. */
export const NETWORK_CHECKS = ["other pods", "metadata", "API server", "kubelet", "outside", "IPv6"] as const;

/** What a lease's pod reaches, and who reaches it. What could not be tried is not passed. */
export function checkNetwork(findings: NetworkFindings): DoctorCheck[] {
  const { facts, controlReached, controlResolved, leaseReached } = findings;
  const probeWorks = facts.get("itself")?.includes("reached") === true;
  const control = controlReached && probeWorks;
  return [
    control
      ? passed("probe", "its connections work where nothing forbids them")
      : failed(
          "probe",
          probeWorks ? "two pods of one namespace do not reach each other" : "a pod does not reach itself",
          "Repair the cluster's pod network: until a connection works somewhere, none that fails proves anything.",
        ),
    ...NETWORK_CHECKS.map((check) => outward(check, findings, control)),
    inward(leaseReached, control),
    facts.has("resolved")
      ? failed("DNS", "a lease's pod resolves names: they carry data out", POLICY_HINT)
      : passed("DNS", controlResolved ? "no name is resolved" : "no name is resolved, nor outside of leases"),
  ];
}

function outward(check: string, { facts, targets }: NetworkFindings, control: boolean): DoctorCheck {
  const reached = (facts.get("reached") ?? []).filter((line) =>
    line.startsWith(`${check.replaceAll(" ", "-")} `),
  );
  const tried = targets.filter((target) => target.check === check);
  const hint = HINTS[check] ?? POLICY_HINT;
  if (reached.length > 0) {
    const places = reached.map((line) => line.split(" ").slice(1).join(" port "));
    return failed(check, `a lease's pod reaches ${places.join(", ")}`, hint);
  }
  if (!control) return failed(check, "not proved: the probe itself reaches nothing", hint);
  if (tried.length === 0) return failed(check, "not proved: no address is known", hint);
  const own = facts.get("ipv6") ?? [];
  const note = check === "IPv6" && own.length === 0 ? ", and the pod has no address" : "";
  return passed(check, `out of reach (${tried.length} tried${note})`);
}

function inward(leaseReached: boolean, control: boolean): DoctorCheck {
  if (leaseReached) return failed("from other pods", "a stranger's pod reaches a lease's pod", POLICY_HINT);
  return control
    ? passed("from other pods", "a lease's pod is out of reach")
    : failed("from other pods", "not proved: the probe itself reaches nothing", POLICY_HINT);
}
