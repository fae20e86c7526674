import { constants, createReadStream } from "node:fs";
import { appendFile, mkdir, mkdtemp, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import type { CiphertextStore } from "../delivery/ciphertext.ts";
import type { ByteSink, DeliverySink } from "../delivery/verify.ts";

/** A ciphertext in a file: a fetch that was broken off goes on where it stopped. */
export function fileCiphertext(path: string): CiphertextStore {
  return {
    async *read() {
      const exists = await stat(path).then(
        () => true,
        () => false,
      );
      if (exists) yield* createReadStream(path, { highWaterMark: 1024 * 1024 });
    },
    append: async (bytes) => {
      await mkdir(dirname(path), { recursive: true });
      await appendFile(path, bytes, { mode: 0o600 });
    },
    reset: () => rm(path, { force: true }),
  };
}

/** A delivery on its way to a folder: written beside it, and moved there only once all of it is verified. */
export interface DeliveryFolder {
  readonly sink: DeliverySink;
  /** Moves everything to its place and returns it: `output` (decrypted files) and `log`. */
  commit(): Promise<{ readonly folder: string; readonly output: string; readonly log: string }>;
  abort(): Promise<void>;
}

/** Opens a new folder for a delivery; an existing one is not written to. */
export async function createDeliveryFolder(
  target: string,
  options: { replace?: boolean } = {},
): Promise<DeliveryFolder> {
  const folder = resolve(target);
  const taken = await stat(folder).then(
    () => true,
    () => false,
  );
  if (taken && options.replace !== true) {
    throw new DekuperError("PATH_INVALID", `${folder} exists already.`, {
      details: { path: folder },
      hint: "Give another folder with --to, or --force to replace it.",
    });
  }
  await mkdir(dirname(folder), { recursive: true });
  const staging = await mkdtemp(`${folder}.part-`);
  const output = join(staging, "output");
  await mkdir(output);
  return {
    sink: {
      // Paths are checked before (relative, no `..`), and no link is ever made here, so none can lead out.
      file: async (path) => {
        const absolute = join(output, path);
        await mkdir(dirname(absolute), { recursive: true });
        return createFile(absolute);
      },
      log: () => createFile(join(staging, "log")),
    },
    commit: async () => {
      if (taken) await rm(folder, { recursive: true, force: true });
      await rename(staging, folder);
      return { folder, output: join(folder, "output"), log: join(folder, "log") };
    },
    abort: () => rm(staging, { recursive: true, force: true }),
  };
}

async function createFile(path: string): Promise<ByteSink> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(path, flags, 0o644).catch((cause) => {
    throw new DekuperError("PATH_INVALID", `${path} cannot be created: ${(cause as Error).message}.`, {
      cause,
    });
  });
  return {
    write: async (bytes) => {
      for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
    },
    close: () => file.close(),
  };
}
