import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { endingWithUs, runCommand } from "../command.ts";
import { KubernetesError } from "../errors.ts";
import { acquireLock } from "../file-lock.ts";
import { type Progress, silent } from "../progress.ts";
import type { ClusterImage } from "../settings.ts";

export interface ImageStoreOptions {
  cacheDir: string;
  binDir: string;
  images: readonly ClusterImage[];
  /** Default: nobody. */
  onProgress?: Progress;
}

/** Where the kubelet's images live in containerd. */
const NAMESPACE = "k8s.io";

/**
 * A containerd root in the cache that has the images imported and unpacked. A new cluster takes it over by hard links
 * in under a second instead of unpacking a gigabyte of torch: layers are read-only, containerd only ever adds files
 * beside them.
 */
export async function ensureImageStore({
  cacheDir,
  binDir,
  images,
  onProgress = silent,
}: ImageStoreOptions): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(images.map(({ reference }) => reference).sort()));
  const root = join(cacheDir, "kubernetes", "image-stores");
  const store = join(root, key.digest("hex").slice(0, 12));
  if (existsSync(store)) return store;
  const lock = await acquireLock(`${store}.lock`, {
    waitMs: 15 * 60_000,
    onWait: ({ pid }) => onProgress(`waiting for another process (pid ${pid}) to import the images`),
  });
  const draft = `${store}.draft`;
  const run = `${store}.run`;
  try {
    if (existsSync(store)) return store;
    for (const folder of [draft, run]) {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
    }
    onProgress(`importing ${images.map(({ name }) => name).join(", ")}`);
    await withContainerd(binDir, draft, run, async (socket) => {
      for (const image of images) await importImage(binDir, socket, image);
    });
    renameSync(draft, store);
    return store;
  } finally {
    for (const folder of [draft, run]) rmSync(folder, { recursive: true, force: true });
    lock.release();
  }
}

/** Fills an empty containerd root from a store. Its databases are copied: each containerd writes to its own. */
export async function adoptImageStore(store: string, containerdDir: string): Promise<void> {
  rmSync(containerdDir, { recursive: true, force: true });
  mkdirSync(containerdDir, { recursive: true });
  const copied = await runCommand("cp", ["-al", `${store}/.`, containerdDir]).then(
    () => true,
    () => false, // the cache is on another file system
  );
  if (!copied) await runCommand("cp", ["-a", "--reflink=auto", `${store}/.`, containerdDir]);
  const databases = await runCommand("find", [store, "-name", "*.db", "-printf", "%P\\n"]);
  for (const database of databases.split("\n").filter(Boolean)) {
    await runCommand("cp", ["--remove-destination", join(store, database), join(containerdDir, database)]);
  }
}

/** Imports an image and names it by digest too: the kubelet asks by the name that the pod gives. */
export async function importImage(
  binDir: string,
  socket: string,
  { tar, tag, reference }: ClusterImage,
): Promise<void> {
  const ctr = (...args: string[]): Promise<string> =>
    runCommand(join(binDir, "ctr"), ["--address", socket, "--namespace", NAMESPACE, "images", ...args]);
  await ctr("import", "--local", "--snapshotter", "overlayfs", tar);
  await ctr("tag", "--force", tag, reference);
}

async function withContainerd(
  binDir: string,
  rootDir: string,
  runDir: string,
  use: (socket: string) => Promise<void>,
): Promise<void> {
  const socket = join(runDir, "c.sock");
  const config = join(runDir, "containerd.toml");
  writeFileSync(
    config,
    `version = 3
root = ${JSON.stringify(rootDir)}
state = ${JSON.stringify(runDir)}
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]
[grpc]
  address = ${JSON.stringify(socket)}
`,
  );
  const log = openSync(join(runDir, "containerd.log"), "w");
  // Unpacking mounts overlays: in a mount namespace of its own they go with the process.
  const [program = "", ...args] = endingWithUs(
    ["unshare", "--mount", join(binDir, "containerd"), "--config", config],
    "KILL",
  );
  const child = spawn(program, args, { stdio: ["ignore", log, log] });
  closeSync(log);
  try {
    await waitForSocket(socket, child);
    await use(socket);
  } finally {
    await stopChild(child);
  }
}

async function waitForSocket(path: string, child: ChildProcess): Promise<void> {
  const end = Date.now() + 20_000;
  while (Date.now() < end && child.exitCode === null) {
    if (await answersAt(path)) return;
    await delay(50);
  }
  throw new KubernetesError("IMAGE_FAILED", "containerd did not start to import the images", {
    details: { path },
  });
}

/** Whether something listens at a unix socket. */
export function answersAt(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
  await gone;
  clearTimeout(timer);
}
