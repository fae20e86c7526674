import type { BlobSource } from "@dekuper/protocol";

/** What can be put: bytes, a file of a browser or of Node (`openAsBlob`), or anything that opens at an offset. */
export type BlobInput = Uint8Array | Blob | BlobSource;

const PART_BYTES = 256 * 1024;

export function blobSource(input: BlobInput): BlobSource {
  if (input instanceof Uint8Array)
    return { size: input.length, open: (offset) => partsOf(input.subarray(offset)) };
  if (input instanceof Blob) return { size: input.size, open: (offset) => streamOf(input.slice(offset)) };
  return input;
}

async function* partsOf(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  for (let offset = 0; offset < bytes.length; offset += PART_BYTES)
    yield bytes.subarray(offset, offset + PART_BYTES);
}

/** A blob's stream as an iterable: Safari's streams are not. */
async function* streamOf(blob: Blob): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = blob.stream().getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}
