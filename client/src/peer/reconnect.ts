import { DekuperError, isDekuperError } from "@dekuper/protocol";

/** How a transfer goes on after a cut. */
export interface RetryOptions {
  /** Tries without any progress before it gives up [5]. */
  readonly tries?: number | undefined;
  /** First wait, milliseconds [250]; it doubles to 5 s. */
  readonly waitMs?: number | undefined;
}

const LONGEST_WAIT_MS = 5_000;

/** Counts tries without progress; `pause` waits, or throws what went wrong when it is pointless or too often. */
export class Retries {
  private readonly tries: number;
  private readonly firstWaitMs: number;
  private failed = 0;

  constructor(options: RetryOptions = {}) {
    this.tries = options.tries ?? 5;
    this.firstWaitMs = options.waitMs ?? 250;
  }

  progress(): void {
    this.failed = 0;
  }

  async pause(error: unknown, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (!isRetryable(error) || ++this.failed >= this.tries) throw error;
    const ms = Math.min(LONGEST_WAIT_MS, this.firstWaitMs * 2 ** (this.failed - 1));
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }
}

/** A cut, silence, or a busy node; never what a node has decided. */
function isRetryable(error: unknown): boolean {
  return isDekuperError(error, "PEER_UNREACHABLE") || isDekuperError(error, "TIMED_OUT");
}

/** Anything thrown by libp2p while a peer is reached, as ours. */
export function unreachable(error: unknown, what: string): DekuperError {
  if (error instanceof DekuperError) return error;
  return new DekuperError("PEER_UNREACHABLE", `${what}: ${error instanceof Error ? error.message : error}.`, {
    cause: error,
  });
}
