import type { Facts } from "./look-around.ts";
import { type DoctorCheck, failed, passed } from "./report.ts";

/** Whether root in the pod is somebody else on the machine (user_namespaces(7)): the map does not start at the host's root. */
export function checkUserNamespace(facts: Facts): DoctorCheck {
  const map = facts.get("user-map") ?? [];
  const starts = map.map((line) => line.trim().split(/\s+/).map(Number));
  const apart =
    starts.length > 0 && starts.every(([, outside = 0, count = 0]) => outside > 0 && count < 2 ** 31);
  return apart
    ? passed("user namespace", "in effect: the pod's users are nobody on the machine")
    : failed(
        "user namespace",
        map.length === 0 ? "not proved: the pod did not say" : "the pod's users are the machine's",
        "Kubernetes 1.33 or newer, a runtime with user namespaces (containerd 2, CRI-O 1.25), Linux 6.3.",
      );
}

/** What else the pod may do on its machine. */
export function checkConfinement(facts: Facts): DoctorCheck {
  const is = (name: string, wanted: string) =>
    facts.get(name)?.join() === wanted ? [] : [name.replace(":", "")];
  const problems = [
    ...(is("uid", "1000").length > 0 ? [`it runs as user ${facts.get("uid")?.join() ?? "unknown"}`] : []),
    ...(is("CapEff:", "0000000000000000").length > 0 ? ["it has capabilities"] : []),
    ...(is("NoNewPrivs:", "1").length > 0 ? ["it can gain privileges"] : []),
    ...(is("Seccomp:", "2").length > 0 ? ["no seccomp filter is in force"] : []),
    ...(is("writable", "/tmp").length > 0
      ? [`it can write ${facts.get("writable")?.join(" ") ?? "nowhere"}`]
      : []),
    ...(facts.has("token") ? ["a service account's token is mounted"] : []),
  ];
  return problems.length === 0
    ? passed("confinement", "no capabilities, seccomp, read-only root, no token")
    : failed(
        "confinement",
        problems.join("; "),
        "See what the container runtime, or an admission webhook, changes in pods.",
      );
}
