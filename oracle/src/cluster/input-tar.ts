import { DekuperError, type TaskSpec } from "@dekuper/protocol";
import { pack } from "tar-stream";
import type { Hex } from "viem";

const BLOCK = 512;
const END_BYTES = 2 * BLOCK;

/**
 * The inputs as one stream for `receiveScript`: first the list of digests that the pod checks, then a tar of plain files.
 * The pod must know both lengths before the first byte, so the tar's is computed: header, content in whole blocks, two empty
 * blocks at the end. Long paths take a pax header of their own; such a tar is built once to be measured.
 */
export function inputTar(
  spec: TaskSpec,
  read: (digest: Hex) => AsyncIterable<Uint8Array>,
): { list: number; tarBytes: number; stdin: AsyncIterable<Uint8Array> } {
  const list = Buffer.from(spec.inputs.map(({ digest, path }) => `${digest.slice(2)}  ${path}\n`).join(""));
  const headers = headerBytes(spec);
  const content = spec.inputs.reduce((sum, { size }) => sum + Math.ceil(size / BLOCK) * BLOCK, 0);
  return { list: list.length, tarBytes: headers + content + END_BYTES, stdin: stream(spec, list, read) };
}

/** Bytes of all headers, by writing each for an empty file. */
function headerBytes(spec: TaskSpec): number {
  let total = 0;
  for (const { path, size } of spec.inputs) {
    const tar = pack();
    tar.entry({ ...header(path), size: 0 });
    const written = tar.read() as Buffer | null;
    total += written?.length ?? 0;
    if (size > 8 * 1024 ** 3)
      throw new DekuperError("TASK_FILE_INVALID", `Input ${path} is larger than 8 GiB.`, {
        details: { path, size },
      });
    tar.destroy();
  }
  return total;
}

function header(path: string) {
  return { name: path, mode: 0o644, type: "file" as const, mtime: new Date(0) };
}

async function* stream(
  spec: TaskSpec,
  list: Buffer,
  read: (digest: Hex) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (list.length > 0) yield list;
  const tar = pack();
  const filled = fill(tar, spec, read);
  filled.catch((error: Error) => tar.destroy(error));
  yield* tar as AsyncIterable<Uint8Array>;
  await filled;
}

async function fill(
  tar: ReturnType<typeof pack>,
  spec: TaskSpec,
  read: (digest: Hex) => AsyncIterable<Uint8Array>,
): Promise<void> {
  for (const { path, digest, size } of spec.inputs) {
    const entry = tar.entry({ ...header(path), size });
    const ended = new Promise<void>((resolve, reject) => entry.once("finish", resolve).once("error", reject));
    ended.catch(() => undefined);
    for await (const bytes of read(digest)) {
      if (!entry.write(Buffer.from(bytes)))
        await new Promise((resolve) => entry.once("drain", () => resolve(undefined)));
    }
    entry.end(undefined);
    await ended;
  }
  tar.finalize();
}
