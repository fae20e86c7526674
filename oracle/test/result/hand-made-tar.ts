import { setImmediate } from "node:timers/promises";
import { pack } from "tar-stream";

type Header = Parameters<ReturnType<typeof pack>["entry"]>[0];

/** An entry of /output as a task may have left it. */
export type Entry = Partial<Omit<Header, "size">> & { readonly name: string; readonly content?: string };

/** The tar that a helper would send. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { content = "", ...header } of entries) {
    if (header.type === undefined || header.type === "file") tar.entry(header, content);
    else tar.entry(header);
  }
  tar.finalize();
  const parts: Uint8Array[] = [];
  for await (const part of tar as AsyncIterable<Uint8Array>) parts.push(part);
  return Buffer.concat(parts);
}

/** Bytes in pieces that respect no boundary. */
export async function* inPieces(bytes: Uint8Array, size = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A tar of one large file, made as it is read: nothing of it exists in memory as a whole. */
export async function* largeTar(name: string, size: number, chunk = 64 * 1024): AsyncGenerator<Uint8Array> {
  const [header] = await headersOf(name, size);
  yield header;
  for (let left = size; left > 0; left -= chunk) {
    await setImmediate(); // as from a socket: other work gets its turn between two pieces
    yield new Uint8Array(Math.min(chunk, left)).fill(left % 251);
  }
  yield new Uint8Array(((512 - (size % 512)) % 512) + 1024);
}

async function headersOf(name: string, size: number): Promise<[Uint8Array]> {
  const tar = pack();
  tar.on("error", () => undefined);
  tar.entry({ name, size });
  for await (const part of tar as AsyncIterable<Uint8Array>) return [part];
  throw new Error("no header");
}
