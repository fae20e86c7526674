import { KubeConfig, type V1Pod, Watch } from "@kubernetes/client-node";

/** Wall-clock moments at which containers were seen running, by one watch for ours and the baseline alike. */
export class PodStarts {
  private readonly seen = new Map<string, number>();
  private readonly waiting: (() => void)[] = [];
  private stopWatch: (() => void) | undefined;
  private readonly config = new KubeConfig();

  constructor(kubeconfig: string) {
    this.config.loadFromFile(kubeconfig);
  }

  async start(): Promise<void> {
    const request = await new Watch(this.config).watch(
      "/api/v1/pods",
      {},
      (_, pod: V1Pod) => {
        const key = keyOf(pod);
        const main = pod.status?.containerStatuses?.find(({ name }) => name === "main")?.state;
        if (key === undefined || this.seen.has(key) || (main?.running ?? main?.terminated) === undefined)
          return;
        this.seen.set(key, performance.now());
        for (const wake of this.waiting.splice(0)) wake();
      },
      () => undefined,
    );
    this.stopWatch = () => request.abort();
  }

  stop(): void {
    this.stopWatch?.();
  }

  /** When the main container of the pod with this key was seen running (`performance.now()`). */
  async startOf(key: string, timeoutMs = 120_000): Promise<number> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const at = this.seen.get(key);
      if (at !== undefined) return at;
      if (performance.now() > deadline) throw new Error(`${key} was not seen running in ${timeoutMs} ms`);
      await new Promise<void>((resolve) => {
        this.waiting.push(resolve);
        setTimeout(resolve, 1_000);
      });
    }
  }
}

/** Ours by the lease's label, the baseline's by the Job's name. */
function keyOf(pod: V1Pod): string | undefined {
  const labels = pod.metadata?.labels ?? {};
  return labels["dekuper.io/lease"] ?? labels["batch.kubernetes.io/job-name"];
}
