import { succeeds } from "./command.ts";
import { KubernetesError } from "./errors.ts";

const TOOLS = ["nft", "ip", "nsenter", "unshare", "setpriv", "mount", "openssl", "cp", "find"];

/** Refuses what the embedded cluster cannot run on, in one sentence and before anything is built. */
export async function checkMachine(name: string): Promise<void> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) {
    throw new KubernetesError("NOT_LINUX_ROOT", "the embedded Kubernetes needs Linux and root", {
      hint: "run it as root, or name your own cluster with --kubeconfig",
    });
  }
  if (!/^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$/.test(name)) {
    throw new KubernetesError(
      "CLUSTER_FAILED",
      `a cluster's name is a DNS label of at most 42 characters, not "${name}"`,
    );
  }
  const found = await Promise.all(TOOLS.map((tool) => succeeds("sh", ["-c", `command -v ${tool}`])));
  const missing = TOOLS.filter((_, index) => !found[index]);
  if (missing.length > 0) {
    throw new KubernetesError("TOOL_MISSING", `programs are missing: ${missing.join(", ")}`, {
      details: { missing },
      hint: "install what kubernetes/debian-packages.txt lists",
    });
  }
}
