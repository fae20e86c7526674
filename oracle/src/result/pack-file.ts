import { createHash } from "node:crypto";
import type { pack } from "tar-stream";
import type { Hex } from "viem";

export type Pack = ReturnType<typeof pack>;

/** Adds a file whose bytes are at hand. */
export async function packBytes(tar: Pack, name: string, bytes: Uint8Array): Promise<void> {
  await packFile(
    tar,
    name,
    bytes.length,
    (async function* () {
      if (bytes.length > 0) yield bytes;
    })(),
  );
}

/** Adds a file; what it holds is hashed on the way. Ends early where the tar is destroyed. */
export async function packFile(
  tar: Pack,
  name: string,
  size: number,
  content: AsyncIterable<Uint8Array>,
): Promise<Hex> {
  const entry = tar.entry({ name, size, mode: 0o644, mtime: new Date(0) });
  const ended = Promise.withResolvers<void>();
  ended.promise.catch(() => undefined);
  let wake: (() => void) | undefined;
  entry.once("finish", () => ended.resolve()).once("error", ended.reject);
  entry.on("drain", () => wake?.());
  entry.once("close", () => {
    ended.reject(new Error("the delivery was given up")); // too late to matter where it has finished
    wake?.();
  });
  const hash = createHash("sha256");
  for await (const bytes of content) {
    hash.update(bytes);
    const mayGoOn = entry.write(Buffer.from(bytes));
    if (!mayGoOn && !entry.destroyed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    if (entry.destroyed) break;
  }
  if (!entry.destroyed) entry.end(undefined); // streamx's types ask for the argument
  await ended.promise;
  return `0x${hash.digest("hex")}` as const;
}
