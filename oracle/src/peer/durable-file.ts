import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { DekuperError } from "@dekuper/protocol";

const READ_BYTES = 128 * 1024;

/** Makes a folder's entries survive a power cut. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Gives a synced file its name; after it returns the name survives a power cut. */
export async function publishFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Runs a disk operation; a full disk becomes `DISK_FULL`. */
export async function onDisk<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    throw diskError(error);
  }
}

export function diskError(error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const full = code === "ENOSPC" || code === "EDQUOT" || (error as { errcode?: number }).errcode === 13;
  return full
    ? new DekuperError("DISK_FULL", "The disk of the state folder is full.", { cause: error })
    : error;
}

/** Undefined: there is no such file. */
export async function fileSize(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** A file's bytes from an offset to its present end. */
export async function* readHandle(
  handle: FileHandle,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let position = offset; ; ) {
    const buffer = new Uint8Array(READ_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, READ_BYTES, position);
    if (bytesRead === 0) return;
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}

export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length)
    written += (await handle.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
}
