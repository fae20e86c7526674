import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import {
  ChunkTree,
  encodeManifest,
  type Outcome,
  outputDigest,
  saltedDigest,
  type TaskSpec,
} from "@dekuper/protocol";
import { Encrypter } from "age-encryption";
import { type Hex, sha256 } from "viem";
import { tar } from "../../client/test/delivery-builder.ts";

export interface RunEnd {
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly log: Uint8Array;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Runs a spec's command as a child process in place of a pod: two folders stand for /input and /output. */
export async function runSpec(
  spec: TaskSpec,
  from: {
    input(digest: Hex): AsyncIterable<Uint8Array>;
    onLog(bytes: Uint8Array): Promise<void>;
    cancelled: AbortSignal;
  },
): Promise<RunEnd> {
  const folder = await mkdtemp(join(tmpdir(), "dekuper-run-"));
  const [input, output] = [join(folder, "input"), join(folder, "output")];
  try {
    await Promise.all([input, output].map((path) => mkdir(path)));
    for (const { path, digest } of spec.inputs) {
      await mkdir(dirname(join(input, path)), { recursive: true });
      await writeFile(join(input, path), from.input(digest));
    }
    const [file = "true", ...args] = spec.command.map((part) =>
      part.replaceAll("/output", output).replaceAll("/input", input),
    );
    const child = spawn(file, args, {
      cwd: folder,
      env: { ...process.env, ...spec.env },
      detached: true,
    });
    // The shell's own children end with it: they share its process group.
    const kill = () => child.pid !== undefined && process.kill(-child.pid, "SIGKILL");
    from.cancelled.addEventListener("abort", kill, { once: true });
    const log: Uint8Array[] = [];
    let written = Promise.resolve();
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Uint8Array) => {
        log.push(bytes);
        written = written.then(() => from.onLog(bytes));
      });
    }
    const [code] = (await once(child, "close")) as [number | null];
    from.cancelled.removeEventListener("abort", kill);
    await written;
    const exitCode = code ?? 137;
    const ended: Outcome = exitCode === 0 ? "Success" : "NonZeroExit";
    return {
      outcome: from.cancelled.aborted ? "Cancelled" : ended,
      exitCode,
      log: Buffer.concat(log),
      files: await filesIn(output),
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function filesIn(folder: string): Promise<Map<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  return new Map(
    await Promise.all(paths.map(async (path) => [relative(folder, path), await readFile(path)] as const)),
  );
}

/** What a node delivers of a run, encrypted to the consumer, with the digests that it signs. */
export async function deliveryOf(spec: TaskSpec, { files, log }: RunEnd) {
  const entries = [...files].sort(([left], [right]) => (left < right ? -1 : 1));
  const manifest = encodeManifest(
    entries.map(([path, bytes]) => ({ path, size: bytes.length, digest: sha256(bytes) })),
  );
  const plaintext = tar([
    { path: "manifest", bytes: manifest },
    { path: "log", bytes: log },
    ...entries.map(([path, bytes]) => ({ path: `output/${path}`, bytes })),
  ]);
  const encrypter = new Encrypter();
  encrypter.addRecipient(spec.output.recipient);
  const ciphertext = await encrypter.encrypt(plaintext);
  const tree = new ChunkTree();
  tree.update(ciphertext);
  return {
    ciphertext,
    root: tree.root(),
    outputDigest: outputDigest(spec.salt, manifest),
    logDigest: saltedDigest(spec.salt, log),
  };
}
