import { createReadStream } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { basename, join, relative, resolve, sep } from "node:path";
import { type BlobSource, DekuperError, MAX_INPUTS, pathProblem, type TaskFile } from "@dekuper/protocol";
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "viem";
import type { TaskInput } from "../task.ts";

/** Bytes read at once. */
const READ_BYTES = 1024 * 1024;

/**
 * The inputs of a task file, with folders walked and every file hashed as it streams. A file lands under its own name, a
 * folder under its; `to` says otherwise. Links inside folders are refused: what they point at may be anywhere.
 */
export async function readInputs(file: TaskFile, folder: string, signal?: AbortSignal): Promise<TaskInput[]> {
  const found: { path: string; absolute: string; size: number }[] = [];
  for (const input of file.inputs ?? []) {
    const absolute = resolve(folder, input.from);
    const root = input.to ?? (/^[./\\]*$/.test(input.from) ? "" : basename(absolute));
    for await (const entry of walk(absolute, input.from)) {
      const inside = relative(absolute, entry.absolute).split(sep).join("/");
      const path = [root, inside].filter((part) => part !== "").join("/");
      const problem = pathProblem(path);
      if (problem !== undefined) {
        throw new DekuperError("PATH_INVALID", `inputs: ${JSON.stringify(entry.absolute)}: ${problem}.`);
      }
      found.push({ path, ...entry });
      if (found.length > MAX_INPUTS) {
        throw new DekuperError("TASK_FILE_INVALID", `inputs: got more than ${MAX_INPUTS} files.`, {
          details: { field: "inputs", from: input.from },
          hint: "Pack many small files into one archive and unpack it in the task's command.",
        });
      }
    }
  }
  const inputs: TaskInput[] = [];
  for (const { path, absolute, size } of found) {
    signal?.throwIfAborted();
    const source = fileSource(absolute, size);
    const hash = sha256.create();
    let read = 0;
    for await (const bytes of source.open(0)) {
      signal?.throwIfAborted();
      hash.update(bytes);
      read += bytes.length;
    }
    if (read !== size)
      throw new DekuperError("INPUT_MISSING", `inputs: ${absolute} changed while it was read.`);
    inputs.push({ path, digest: bytesToHex(hash.digest()), source });
  }
  return inputs;
}

/** A file on disk as a source that can be opened at any offset. */
export function fileSource(path: string, size: number): BlobSource {
  return {
    size,
    async *open(offset) {
      // Never more than was hashed, whatever has been appended since.
      if (offset >= size) return;
      yield* createReadStream(path, { start: offset, end: size - 1, highWaterMark: READ_BYTES });
    },
  };
}

async function* walk(absolute: string, named: string): AsyncGenerator<{ absolute: string; size: number }> {
  const facts = await lstat(absolute).catch((cause) => {
    throw new DekuperError("INPUT_MISSING", `inputs: ${named} does not exist (${absolute}).`, {
      details: { from: named, path: absolute },
      cause,
    });
  });
  if (facts.isFile()) {
    yield { absolute, size: facts.size };
  } else if (facts.isDirectory()) {
    for (const name of (await readdir(absolute)).sort()) yield* walk(join(absolute, name), join(named, name));
  } else {
    throw new DekuperError(
      "PATH_INVALID",
      `inputs: ${named} is a link or a device, not a file or a folder.`,
      {
        details: { path: absolute },
        hint: "Name the file that the link points at.",
      },
    );
  }
}
