import { DekuperError, type TaskSpec } from "@dekuper/protocol";
import { pack } from "tar-stream";
import type { Hex } from "viem";
import type { SentFile } from "./driver.ts";
import { taskPaths } from "./scripts.ts";

const BLOCK = 512;
/** What the size field of a plain tar header holds. */
const MAX_FILE_BYTES = 8 * 1024 ** 3 - 1;

/** A task's inputs and the files of its checkpoint, by the names that they have in the pod, without the first slash. */
export function sentFiles(
  spec: Pick<TaskSpec, "inputs">,
  read: (digest: Hex) => AsyncIterable<Uint8Array>,
  checkpoint: readonly SentFile[] = [],
): SentFile[] {
  const inside = (folder: string, path: string) => `${folder.slice(1)}/${path}`;
  return [
    ...spec.inputs.map(({ digest, path, size }) => ({
      path: inside(taskPaths.input, path),
      digest,
      size,
      open: () => read(digest),
    })),
    ...checkpoint.map((file) => ({ ...file, path: inside(taskPaths.checkpoint, file.path) })),
  ];
}

/**
 * Files as one stream for `receiveScript`: first the list of digests that the pod checks, then a tar of plain files.
 * The pod must know both lengths before the first byte: the tar's is that of one with empty files, which is written once to
 * be measured (long paths take a pax header of their own), and of the contents in whole blocks.
 */
export async function inputTar(
  files: readonly SentFile[],
): Promise<{ list: number; tarBytes: number; stdin: AsyncIterable<Uint8Array> }> {
  const tooLarge = files.find(({ size }) => size > MAX_FILE_BYTES);
  if (tooLarge !== undefined) {
    const { path, size } = tooLarge;
    throw new DekuperError("TASK_FILE_INVALID", `${path} is larger than 8 GiB.`, { details: { path, size } });
  }
  const list = Buffer.from(files.map(({ digest, path }) => `${digest.slice(2)}  ${path}\n`).join(""));
  const content = files.reduce((sum, { size }) => sum + Math.ceil(size / BLOCK) * BLOCK, 0);
  const tarBytes = (await emptyTarBytes(files)) + content;
  return { list: list.length, tarBytes, stdin: stream(files, list) };
}

/** Bytes of all headers and of the end. */
async function emptyTarBytes(files: readonly SentFile[]): Promise<number> {
  const tar = pack();
  for (const { path } of files) tar.entry({ ...header(path), size: 0 }).end(undefined);
  tar.finalize();
  let total = 0;
  for await (const bytes of tar as AsyncIterable<Uint8Array>) total += bytes.length;
  return total;
}

function header(path: string) {
  return { name: path, mode: 0o644, type: "file" as const, mtime: new Date(0) };
}

async function* stream(files: readonly SentFile[], list: Buffer): AsyncGenerator<Uint8Array> {
  if (list.length > 0) yield list;
  const tar = pack();
  const filled = fill(tar, files);
  filled.catch((error: Error) => tar.destroy(error));
  yield* tar as AsyncIterable<Uint8Array>;
  await filled;
}

async function fill(tar: ReturnType<typeof pack>, files: readonly SentFile[]): Promise<void> {
  for (const { path, size, open } of files) {
    const entry = tar.entry({ ...header(path), size });
    const ended = new Promise<void>((resolve, reject) => entry.once("finish", resolve).once("error", reject));
    ended.catch(() => undefined);
    for await (const bytes of open()) {
      if (!entry.write(Buffer.from(bytes)))
        await new Promise((resolve) => entry.once("drain", () => resolve(undefined)));
    }
    entry.end(undefined);
    await ended;
  }
  tar.finalize();
}
