import { createHash } from "node:crypto";
import { DekuperError } from "@dekuper/protocol";
import { type ExecTarget, exec } from "./exec.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { MESSAGE_TAG } from "./scripts.ts";

/** A tar that a script of the helper sends. Ends normally only when bytes, digest and exit status agree with its trailer. */
export async function* readSentTar(
  api: KubernetesApi,
  target: ExecTarget,
  script: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  let bytes = 0;
  const run = exec(api, target, ["/bin/busybox", "sh", "-c", script], { signal });
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) {
        checkTrailer(next.value, bytes, hash.digest("hex"));
        return;
      }
      hash.update(next.value);
      bytes += next.value.length;
      yield next.value;
    }
  } finally {
    await run.return({ exitCode: -1, stderr: "" });
  }
}

function checkTrailer(
  { exitCode, stderr }: { exitCode: number; stderr: string },
  bytes: number,
  digest: string,
): void {
  const [, sentBytes, sentDigest] =
    new RegExp(`^${MESSAGE_TAG} trailer (\\d+) ([0-9a-f]{64}) (\\d+)$`, "m").exec(stderr) ?? [];
  if (exitCode === 0 && sentBytes === String(bytes) && sentDigest === digest) return;
  throw new DekuperError("OUTPUT_UNREADABLE", "What arrived of the output is not what the helper sent.", {
    details: { exitCode, bytes, sentBytes, digest, sentDigest },
  });
}
