import { Readable } from "node:stream";
import { DekuperError, pathProblem } from "@dekuper/protocol";
import { extract } from "tar-stream";

export interface OutputLimits {
  /** Files beyond it are left out. */
  readonly maxEntries: number;
  /** Folders deep. */
  readonly maxDepth: number;
}

export const DEFAULT_LIMITS: OutputLimits = { maxEntries: 100_000, maxDepth: 64 };

/** An entry that is left out, with why. */
export interface SkippedEntry {
  readonly kind: "skipped";
  readonly path: string;
  readonly reason: string;
}

/** A regular file; its bytes are read to the end before the next entry is asked for. */
export interface FileEntry {
  readonly kind: "file";
  readonly path: string;
  readonly size: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

/**
 * Goes through a task's tar, written by whoever ran there: regular files with good names are handed out, folders are passed
 * over, everything else (links, devices, pipes, bad or doubled names, too deep, too many) is named and left out (rule 35).
 * A tar that ends early or is none is `OUTPUT_UNREADABLE`.
 */
export async function* readEntries(
  tar: AsyncIterable<Uint8Array>,
  limits: OutputLimits,
): AsyncGenerator<FileEntry | SkippedEntry, void, void> {
  const reader = extract();
  const source = Readable.from(tar, { objectMode: false });
  source.once("error", (error) => reader.destroy(error));
  source.pipe(reader as unknown as NodeJS.WritableStream);
  const seen = new Set<string>();
  try {
    for await (const entry of reader) {
      const { name, type, size = 0 } = entry.header;
      const path = name.replace(/^(?:\.\/)+/, "").replace(/\/$/, "");
      const reason = reasonToSkip(type ?? "unknown-type", path, seen, limits);
      if (reason === undefined) {
        seen.add(path);
        yield { kind: "file", path, size, bytes: contentOf(entry as unknown as AsyncIterable<Uint8Array>) };
      } else {
        if (reason !== "folder") yield { kind: "skipped", path, reason };
        entry.resume();
      }
    }
  } catch (error) {
    throw unreadable(error);
  } finally {
    source.destroy();
  }
}

async function* contentOf(entry: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* entry;
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): unknown {
  if (error instanceof DekuperError || (error as Error).name === "AbortError") return error;
  return new DekuperError("OUTPUT_UNREADABLE", `The output is no whole tar: ${(error as Error).message}.`, {
    cause: error,
  });
}

function reasonToSkip(
  type: string,
  path: string,
  seen: ReadonlySet<string>,
  limits: OutputLimits,
): string | undefined {
  if (type === "directory") return "folder";
  if (type !== "file" && type !== "contiguous-file") return type; // symlink, link, fifo, character-device, block-device, unknown-type
  if (pathProblem(path) !== undefined) return "bad-name";
  if (seen.has(path)) return "doubled-name";
  if (path.split("/").length > limits.maxDepth) return "too-deep";
  return seen.size >= limits.maxEntries ? "too-many" : undefined;
}
