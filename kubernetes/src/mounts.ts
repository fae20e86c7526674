import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { type ClusterLayout, COMPILED_IN_FOLDERS } from "./layout.ts";

/**
 * Prepares the supervisor's mount namespace, which it was started in and all its children share. Every mount of the
 * cluster is made here, so they end with its last process and the host never sees one. Kubelet and containerd keep
 * sockets and checkpoints in folders that are compiled in: each cluster gets its own in their place.
 */
export async function prepareMounts(layout: ClusterLayout): Promise<void> {
  // Pods may ask for mounts to propagate, which needs a shared root; the peers are all in this namespace.
  await runCommand("mount", ["--make-rshared", "/"]);
  for (const folder of COMPILED_IN_FOLDERS) {
    const own = join(layout.boundDir, folder.slice(1).replaceAll("/", "-"));
    mkdirSync(own, { recursive: true });
    await runCommand("mount", ["--bind", own, folder]);
  }
}
