import type { TaskInput } from "@dekuper/client";
import { type BlobSource, digestOf } from "@dekuper/protocol";
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
export const MAX_BROWSER_INPUT_BYTES = 256 * 1024 * 1024;

async function inputOf(path: string, file: Blob): Promise<TaskInput> {
  return { path, digest: digestOf(new Uint8Array(await file.arrayBuffer())), source: sourceOf(file) };
}

/** The task's inputs: the chosen files, and for pytorch the program itself. */
export function inputsOf(form: TaskForm, files: readonly File[]): Promise<TaskInput[]> {
  const program = form.template === "pytorch" ? [inputOf("train.py", new Blob([form.script]))] : [];
  return Promise.all([...program, ...files.map((file) => inputOf(file.name, file))]);
}
