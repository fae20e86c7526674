import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { KubernetesError } from "./errors.ts";

/** How the supervisor authenticates: file names without ending are certificate and key. */
export interface ApiClientOptions {
  /** Such as `https://10.213.0.2:6443`. */
  server: string;
  pkiDir: string;
  identity: string;
}

export interface ApiRequest {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  contentType?: string;
  /** Default 5 s. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

/**
 * The few calls that the supervisor makes. The full client library would double the memory of a process that lives as
 * long as the cluster, of which a machine may have several.
 */
export class ApiClient {
  readonly #server: string;
  readonly #agent: Agent;

  constructor({ server, pkiDir, identity }: ApiClientOptions) {
    const file = (name: string): Buffer => readFileSync(join(pkiDir, name));
    this.#server = server;
    this.#agent = new Agent({
      ca: file("ca.crt"),
      cert: file(`${identity}.crt`),
      key: file(`${identity}.key`),
      keepAlive: true,
    });
  }

  /** Sends one request; answers parsed JSON, or the text of an answer that is none. */
  async call<T>(path: string, options: ApiRequest = {}): Promise<T> {
    const response = await this.#open(path, options);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const status = response.statusCode ?? 0;
    if (status < 200 || status > 299) {
      throw new KubernetesError("API_FAILED", `${options.method ?? "GET"} ${path} answered ${status}`, {
        details: { status, body: text.slice(0, 1000) },
      });
    }
    return (response.headers["content-type"]?.includes("json") ? JSON.parse(text) : text) as T;
  }

  /** Calls `onEvent` for each event of a watch until the server ends it. */
  async watch(path: string, signal: AbortSignal, onEvent: (event: unknown) => void): Promise<void> {
    const response = await this.#open(path, { signal, timeoutMs: 120_000 });
    let partial = "";
    for await (const chunk of response.setEncoding("utf8")) {
      const lines = (partial + chunk).split("\n");
      partial = lines.pop() ?? "";
      for (const line of lines) if (line) onEvent(JSON.parse(line));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #open(
    path: string,
    { method = "GET", body, contentType, timeoutMs = 5000, signal }: ApiRequest,
  ): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const call = request(`${this.#server}${path}`, {
        agent: this.#agent,
        method,
        headers: { accept: "application/json", "content-type": contentType ?? "application/json" },
        ...(signal ? { signal } : {}),
      });
      // Idle time, also while a watch says nothing: the relist then notices what the watch did not.
      call.setTimeout(timeoutMs, () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      call.on("response", resolve);
      call.on("error", (cause) => {
        reject(new KubernetesError("API_FAILED", `${method} ${path}: ${cause.message}`, { cause }));
      });
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}
