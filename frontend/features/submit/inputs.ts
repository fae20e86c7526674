import type { TaskInput } from "@dekuper/client";
import { type BlobSource, DekuperError, digestOf } from "@dekuper/protocol";
import { formatBytes } from "../../ui/bytes.ts";
import type { TaskForm } from "./form.ts";

/** A file of this browser as a blob that can be read again from any offset. */
function sourceOf(file: Blob): BlobSource {
  return {
    size: file.size,
    async *open(offset) {
      const reader = file.slice(offset).stream().getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    },
  };
}

/** Most bytes of one input: it is hashed in memory. */
const MAX_INPUT_BYTES = 256 * 1024 * 1024;

/** The chosen files, and for pytorch the program itself, by their paths. Throws `TASK_FILE_INVALID` for one that is too large. */
function blobsOf(form: TaskForm, files: readonly File[]): (readonly [path: string, blob: Blob])[] {
  const large = files.find(({ size }) => size > MAX_INPUT_BYTES);
  if (large !== undefined) {
    const most = formatBytes(MAX_INPUT_BYTES);
    throw new DekuperError(
      "TASK_FILE_INVALID",
      `Input files: ${large.name} has ${formatBytes(large.size)}; a browser takes at most ${most} of each.`,
      { details: { file: large.name, size: large.size }, hint: "`dekuper task submit` takes larger ones." },
    );
  }
  const program = form.template === "pytorch" ? [["train.py", new Blob([form.script])] as const] : [];
  return [...program, ...files.map((file) => [file.name, file] as const)];
}

const NOT_HASHED = `0x${"0".repeat(64)}` as const;

/** The task's inputs for a plan, which goes by their sizes: nothing is read, nor sealed. */
export function unhashedInputs(form: TaskForm, files: readonly File[]): TaskInput[] {
  return blobsOf(form, files).map(([path, blob]) => {
    const unread = { digest: NOT_HASHED, source: sourceOf(blob) };
    return form.isPublic ? { path, ...unread } : { path, ...unread, sealed: unread };
  });
}

/** The task's inputs as they are ordered. */
export async function inputsOf(form: TaskForm, files: readonly File[]): Promise<TaskInput[]> {
  return Promise.all(
    blobsOf(form, files).map(async ([path, blob]) => {
      return { path, digest: digestOf(new Uint8Array(await blob.arrayBuffer())), source: sourceOf(blob) };
    }),
  );
}
