import { setTimeout as sleep } from "node:timers/promises";
import type { KubernetesApi } from "./kubernetes-api.ts";

const RETRY_MS = 1_000;
const WATCH_SECONDS = 240;
/** What the server may take to end a watch whose time is over. */
const GRACE_SECONDS = 10;

/** Wakes whoever listens when one of our pods may have changed. Only a hint: it may miss anything, and a timer relists. */
export class HintWatch {
  private readonly api: KubernetesApi;
  private readonly labelSelector: string;
  private readonly watchSeconds: number;
  private readonly listeners = new Set<() => void>();
  private readonly ended = new AbortController();
  private running: Promise<void> | undefined;

  /** The server ends a watch after `watchSeconds`; one that was cut silently is given up soon after. */
  constructor(api: KubernetesApi, labelSelector: string, watchSeconds = WATCH_SECONDS) {
    this.api = api;
    this.labelSelector = labelSelector;
    this.watchSeconds = watchSeconds;
  }

  add(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.ended.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.ended;
    while (!signal.aborted) {
      try {
        const until = AbortSignal.any([
          signal,
          AbortSignal.timeout((this.watchSeconds + GRACE_SECONDS) * 1000),
        ]);
        const query = { watch: true, labelSelector: this.labelSelector, timeoutSeconds: this.watchSeconds };
        for await (const _ of this.api.stream("/api/v1/pods", query, until))
          for (const listener of this.listeners) listener();
      } catch {
        // a broken watch costs a hint and no more
      }
      await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
