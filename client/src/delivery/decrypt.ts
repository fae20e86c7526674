import { DekuperError } from "@dekuper/protocol";
import { Decrypter } from "age-encryption";
import type { OutputKey } from "../keys.ts";

/** Decrypts an age ciphertext as it streams; what does not authenticate is `ATTESTATION_INVALID`. */
export async function* decryptDelivery(
  ciphertext: AsyncIterable<Uint8Array>,
  key: OutputKey,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decrypter = new Decrypter();
  decrypter.addIdentity(key.identity);
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = (await decrypter.decrypt(streamOf(ciphertext))).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (cause) {
    throw new DekuperError(
      "ATTESTATION_INVALID",
      `The output does not decrypt with ${key.recipient}: ${(cause as Error).message}.`,
      { details: { recipient: key.recipient }, cause },
    );
  } finally {
    await reader?.cancel().catch(() => undefined);
  }
}

/** An async iterable as a web stream; `ReadableStream.from` is not in every browser yet. */
function streamOf(source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    async cancel() {
      await iterator.return?.();
    },
  });
}
