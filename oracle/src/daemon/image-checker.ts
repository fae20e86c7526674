import { isDekuperError, parseImage } from "@dekuper/protocol";
import { findImage, type RegistryImage } from "@dekuper/protocol/node";
import type { Clock } from "../chain/clock.ts";
import type { ClusterDriver, ClusterImages } from "../cluster/driver.ts";
import { isImageAllowed } from "../plan/fit.ts";

/** Whether a task's image can run here. `unknown`: nobody could be asked. */
export type ImageAnswer =
  | { readonly kind: "fit" }
  | { readonly kind: "unfit"; readonly problem: string; readonly retrySeconds: number }
  | { readonly kind: "unknown"; readonly retrySeconds: number };

export interface ImageCheckerDeps {
  readonly driver: Pick<ClusterDriver, "images">;
  readonly clock: Pick<Clock, "now">;
  readonly settings: {
    readonly isLocalNetwork: boolean;
    readonly imageHosts: readonly string[];
    readonly maxImageBytes: number;
  };
  /** Default: the image's registry, at public addresses only. */
  readonly find?: (image: string, signal: AbortSignal) => Promise<RegistryImage>;
}

/** A look at the nodes' images serves the orders that come together. */
const CLUSTER_LIST_MS = 3_000;
/** For one image, with its token and its index. */
const REGISTRY_TIMEOUT_MS = 30_000;
/** Images whose answers are remembered, and registries' answers that are waited for at a time. */
const MAX_KNOWN = 256;
const MAX_ASKED = 8;
/** A kubelet takes up to a minute to name an image that was imported, and a registry's may be pushed late. */
const UNFIT_SECONDS = 15;
const UNKNOWN_SECONDS = { first: 5, most: 60 } as const;
const FIT_SECONDS = 3_600;

interface Known {
  readonly answer: ImageAnswer;
  readonly until: number;
  /** Times in a row that nobody could be asked. */
  readonly failures: number;
}

/**
 * Asks for the image of an order before the order is taken (rule 34): one that cannot be pulled would hold the node for the
 * whole start window.
 */
export class ImageChecker {
  private readonly deps: ImageCheckerDeps;
  private readonly known = new Map<string, Known>();
  private readonly asked = new Map<string, Promise<ImageAnswer>>();
  private cluster: { readonly at: number; readonly images: Promise<ClusterImages> } | undefined;

  constructor(deps: ImageCheckerDeps) {
    this.deps = deps;
  }

  /** `signal` is the daemon's: an answer may serve other orders too. */
  async check(image: string, signal: AbortSignal): Promise<ImageAnswer> {
    const { settings } = this.deps;
    // What is not on the list is not asked for: a stranger's text names no host of ours to call.
    if (!isImageAllowed(image, settings)) return unfit("image-host-not-allowed");
    const isLocal = parseImage(image).host === "localhost";
    try {
      const { names, isComplete } = await this.clusterImages(signal);
      if (names.has(image)) return { kind: "fit" };
      if (isLocal) return isComplete ? unfit("image-not-on-cluster") : { kind: "fit" };
    } catch (error) {
      if (!isDekuperError(error) && !signal.aborted) throw error;
      if (isLocal) return { kind: "unknown", retrySeconds: UNKNOWN_SECONDS.first };
    }
    return this.ofRegistry(image, signal);
  }

  private clusterImages(signal: AbortSignal): Promise<ClusterImages> {
    const at = this.deps.clock.now();
    if (this.cluster !== undefined && at - this.cluster.at < CLUSTER_LIST_MS) return this.cluster.images;
    const asked = { at, images: this.deps.driver.images(signal) };
    this.cluster = asked;
    asked.images.catch(() => {
      if (this.cluster === asked) this.cluster = undefined;
    });
    return asked.images;
  }

  /** Once per image, and again when the answer is too old. */
  private async ofRegistry(image: string, signal: AbortSignal): Promise<ImageAnswer> {
    const known = this.known.get(image);
    if (known !== undefined && this.deps.clock.now() < known.until) return known.answer;
    const running = this.asked.get(image);
    if (running !== undefined) return running;
    if (this.asked.size >= MAX_ASKED) return { kind: "unknown", retrySeconds: UNKNOWN_SECONDS.first };
    const asked = this.ask(image, known?.failures ?? 0, signal).finally(() => this.asked.delete(image));
    this.asked.set(image, asked);
    return asked;
  }

  private async ask(image: string, failures: number, signal: AbortSignal): Promise<ImageAnswer> {
    const { find = findImage, settings } = this.deps;
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(REGISTRY_TIMEOUT_MS)]);
      const found = await find(image, limited);
      if (found.kind === "missing") return this.remember(image, unfit("image-not-found"));
      if (found.kind === "other-platform") return this.remember(image, unfit("image-not-for-linux-amd64"));
      if (found.bytes > settings.maxImageBytes) return this.remember(image, unfit("image-too-large"));
      return this.remember(image, { kind: "fit" });
    } catch (error) {
      if (!isDekuperError(error) && !signal.aborted) throw error;
      // A dev network's registry may be where the oracle asks nobody (a private address): there the pull decides.
      if (settings.isLocalNetwork) return this.remember(image, { kind: "fit" });
      const retrySeconds = Math.min(UNKNOWN_SECONDS.first * 2 ** failures, UNKNOWN_SECONDS.most);
      return this.remember(image, { kind: "unknown", retrySeconds }, failures + 1);
    }
  }

  private remember(image: string, answer: ImageAnswer, failures = 0): ImageAnswer {
    const seconds = answer.kind === "fit" ? FIT_SECONDS : answer.retrySeconds;
    this.known.delete(image);
    this.known.set(image, { answer, until: this.deps.clock.now() + seconds * 1000, failures });
    const [oldest] = this.known.keys();
    if (this.known.size > MAX_KNOWN && oldest !== undefined) this.known.delete(oldest);
    return answer;
  }
}

const unfit = (problem: string): ImageAnswer => ({ kind: "unfit", problem, retrySeconds: UNFIT_SECONDS });
