import { request as httpRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { buffer } from "node:stream/consumers";
import type { KubeConfig } from "@kubernetes/client-node";
import { apiError } from "./api-errors.ts";

/** A model of client-node as it travels: its dates are RFC 3339 texts. */
export type Wire<T> = T extends Date
  ? string
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

/** Name of the oracle's field manager: what it applied, and nothing else, is its own. */
export const FIELD_MANAGER = "dekuper-oracle";

type Query = Readonly<Record<string, string | number | boolean | undefined>>;
interface CallOptions {
  readonly query?: Query;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal: AbortSignal;
}
interface KubernetesObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly name?: string; readonly namespace?: string };
}

/** Most bytes of an answer that is read into memory. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** Objects per page of a list. */
const PAGE = 500;

/**
 * The Kubernetes API over Node's own HTTP client, with client-node's kubeconfig and credentials. Streams (logs, watches)
 * need back-pressure and an error that can be caught; client-node's `Log` and `Watch` give neither when a connection breaks.
 */
export class KubernetesApi {
  private readonly config: KubeConfig;
  private readonly callTimeoutMs: number;
  private readonly onRequest: ((verb: string) => void) | undefined;

  /** `callTimeoutMs` bounds each call that is not a stream; `onRequest` hears of every request. */
  constructor(config: KubeConfig, callTimeoutMs = 15_000, onRequest?: (verb: string) => void) {
    this.config = config;
    this.callTimeoutMs = callTimeoutMs;
    this.onRequest = onRequest;
  }

  /** The API server's address, such as `https://127.0.0.1:6443`. */
  get server(): string {
    const cluster = this.config.getCurrentCluster();
    if (cluster === null) throw new TypeError("the kubeconfig names no current cluster");
    return cluster.server;
  }

  /** TLS and credentials of a connection to the API server. */
  async credentials(): Promise<RequestOptions> {
    const options: RequestOptions = {};
    await this.config.applyToHTTPSOptions(options);
    return options;
  }

  get<T>(path: string, signal: AbortSignal, query: Query = {}): Promise<T> {
    return this.call<T>("GET", path, { query, signal });
  }

  /** All objects of a kind under a path, page by page from one consistent snapshot. */
  async list<T>(path: string, query: Query, signal: AbortSignal): Promise<T[]> {
    const items: T[] = [];
    let next: string | undefined;
    do {
      const page = await this.call<{ items: T[]; metadata?: { continue?: string } }>("GET", path, {
        query: { ...query, limit: PAGE, continue: next },
        signal,
      });
      items.push(...page.items);
      next = page.metadata?.continue;
    } while (next);
    return items;
  }

  /** Server-side apply. Not forced: a field that someone else owns is a conflict, not ours to take. */
  apply<T extends KubernetesObject>(object: T, signal: AbortSignal): Promise<Wire<T>> {
    return this.call<Wire<T>>("PATCH", objectPath(object), {
      query: { fieldManager: FIELD_MANAGER },
      body: object,
      contentType: "application/apply-patch+yaml",
      signal,
    });
  }

  /** Creates an object; a conflict if it exists. `dryRun` asks only whether the cluster would take it. */
  create<T extends KubernetesObject>(object: T, signal: AbortSignal, dryRun = false): Promise<Wire<T>> {
    return this.call<Wire<T>>("POST", objectPath(object, true), {
      query: { fieldManager: FIELD_MANAGER, dryRun: dryRun ? "All" : undefined },
      body: object,
      signal,
    });
  }

  replace<T extends KubernetesObject>(object: T, signal: AbortSignal): Promise<T> {
    return this.call<T>("PUT", objectPath(object), {
      query: { fieldManager: FIELD_MANAGER },
      body: object,
      signal,
    });
  }

  /** Deletes exactly the object with this uid: one of the same name made since is not touched. */
  delete(path: string, uid: string, signal: AbortSignal, gracePeriodSeconds?: number): Promise<unknown> {
    return this.call("DELETE", path, {
      body: { preconditions: { uid }, propagationPolicy: "Background", gracePeriodSeconds },
      signal,
    });
  }

  async call<T>(method: string, path: string, options: CallOptions): Promise<T> {
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(this.callTimeoutMs)]);
    const answer = await this.send(method, path, { ...options, signal });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of answer as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      if (size > MAX_ANSWER_BYTES) throw new Error(`the answer has more than ${MAX_ANSWER_BYTES} bytes`);
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString("utf8")) as T;
  }

  /** The API server's clock, Unix milliseconds: leases expire by it, not by ours. */
  async clock(signal: AbortSignal): Promise<number> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(this.callTimeoutMs)]);
    const answer = await this.send("GET", "/version", { signal: limited });
    await buffer(answer);
    return Date.parse(answer.headers.date ?? "");
  }

  /** An answer's body as it arrives; reading slowly slows the sender down. Ends with an error if the connection breaks. */
  async *stream(path: string, query: Query, signal: AbortSignal): AsyncGenerator<Uint8Array, void, void> {
    const answer = await this.send("GET", path, { query, signal });
    yield* answer as AsyncIterable<Uint8Array>;
    if (!answer.complete) throw new Error("the connection broke");
  }

  private async send(method: string, path: string, options: CallOptions): Promise<IncomingMessage> {
    options.signal.throwIfAborted();
    this.onRequest?.(method.toLowerCase());
    const url = new URL(this.server.replace(/\/$/, "") + path);
    for (const [key, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(key, String(value));
    }
    const credentials = await this.credentials();
    const body = options.body === undefined ? undefined : JSON.stringify(options.body);
    const headers = {
      ...credentials.headers,
      accept: "application/json, */*",
      ...(body === undefined
        ? {}
        : {
            "content-type": options.contentType ?? "application/json",
            "content-length": Buffer.byteLength(body),
          }),
    };
    const send = url.protocol === "http:" ? httpRequest : httpsRequest;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = send(url, { ...credentials, method, headers, signal: options.signal }, resolve);
      outgoing.once("socket", (socket) => socket.setKeepAlive(true, 15_000));
      outgoing.once("error", reject);
      outgoing.end(body);
    });
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    throw apiError(status, (await buffer(answer)).toString("utf8"));
  }
}

const GROUPS: Readonly<Record<string, string>> = {
  Namespace: "/api/v1/namespaces",
  ServiceAccount: "serviceaccounts",
  ResourceQuota: "resourcequotas",
  LimitRange: "limitranges",
  NetworkPolicy: "networkpolicies",
  Pod: "pods",
  Job: "jobs",
  Lease: "leases",
  SelfSubjectAccessReview: "selfsubjectaccessreviews",
};

/** Where an object of the kinds that the oracle makes lives, or with `collection` where it is created. */
export function objectPath(object: KubernetesObject, collection = false): string {
  const plural = GROUPS[object.kind ?? ""];
  if (plural === undefined) throw new TypeError(`the oracle makes no ${object.kind}`);
  const name = collection ? "" : `/${object.metadata?.name}`;
  if (plural.startsWith("/")) return plural + name;
  const version = object.apiVersion ?? "v1";
  const root = version.includes("/") ? `/apis/${version}` : `/api/${version}`;
  const namespace = object.metadata?.namespace;
  return `${root}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}${name}`;
}
