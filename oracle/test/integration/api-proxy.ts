import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { Transform } from "node:stream";
import { buffer } from "node:stream/consumers";
import { after } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { oracleAccount, writeKubeconfig } from "./embedded-cluster.ts";

/** A request as it arrived; `path` without its query. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

/**
 * What happens to a request on its way:
 * - `break`: the connection breaks before the API server sees it
 * - `lose`: the API server does it, and its answer is lost with the connection
 * - `twice`: it reaches the API server twice, as when a lost one was only late
 * - `hang`: nothing ever comes back
 * - `silent`: the answer begins, and then nothing more comes of it, nor an end
 * - `mute`: all that is sent arrives, nothing is received, and the connection breaks when the other end is done
 * - `late`: the answer to an exec waits, so that the first frames come in one piece with the handshake
 * - `upAfter`, `downAfter`: the connection breaks after so many bytes of what is sent, or received
 * - `rewrite`: what is sent arrives as something else
 * - `flipAt`: one bit of what is received is another
 */
export type Fate =
  | "pass"
  | "break"
  | "lose"
  | "twice"
  | "hang"
  | "silent"
  | "mute"
  | "late"
  | { readonly status: number; readonly body?: string }
  | { readonly rewrite: (body: string) => string }
  | { readonly upAfter: number }
  | { readonly downAfter: number }
  | { readonly flipAt: number };

const LATE_MS = 500;
const open: { close(): Promise<void> }[] = [];
after(() => Promise.all(open.map((proxy) => proxy.close())));

/** Stands before the API server and does what networks do; closed when the run ends. Plain HTTP towards the driver. */
export class ApiProxy {
  readonly seen: SeenRequest[] = [];
  decide: (request: SeenRequest) => Fate | Promise<Fate> = () => "pass";
  private readonly server: Server;
  private readonly upstream = new KubeConfig();
  private readonly sockets = new Set<Socket>();

  private constructor() {
    this.upstream.loadFromFile(oracleAccount());
    this.server = createServer((request, response) => void this.onRequest(request, response));
    this.server.on(
      "upgrade",
      (request: IncomingMessage, socket: Socket) => void this.onUpgrade(request, socket),
    );
    this.server.on("connection", (socket) => {
      this.sockets.add(socket);
      socket.on("error", () => undefined).once("close", () => this.sockets.delete(socket));
    });
  }

  static async open(): Promise<ApiProxy> {
    const proxy = new ApiProxy();
    await new Promise<void>((resolve) => proxy.server.listen(0, "127.0.0.1", resolve));
    open.push({ close: () => proxy.close() });
    return proxy;
  }

  /** A kubeconfig that leads through here, with the oracle's account. */
  get kubeconfig(): string {
    const { port } = this.server.address() as AddressInfo;
    const token = this.upstream.getCurrentUser()?.token ?? "";
    const plain = { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
    return writeKubeconfig(`proxy-${port}`, plain, token);
  }

  private async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = await buffer(request);
    const fate = await this.fateOf(request);
    if (typeof fate === "object" && "rewrite" in fate) {
      body = Buffer.from(fate.rewrite(body.toString("utf8")));
      request.headers["content-length"] = String(body.length);
    }
    const { socket } = request;
    if (fate === "hang") return;
    if (fate === "break") return void socket.destroy();
    if (typeof fate === "object" && "status" in fate) {
      response.writeHead(fate.status, { "content-type": "application/json" }).end(fate.body ?? "{}");
      return;
    }
    try {
      if (fate === "twice") await buffer(await this.forward(request, body));
      const answer = await this.forward(request, body);
      if (fate === "lose") {
        await buffer(answer);
        return void socket.destroy();
      }
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const down = meter(fate, "downAfter", () => socket.destroy());
      answer.on("error", () => socket.destroy());
      response.once("close", () => answer.destroy());
      if (fate === "silent") response.flushHeaders();
      else answer.pipe(down).pipe(response);
    } catch {
      socket.destroy();
    }
  }

  private async onUpgrade(request: IncomingMessage, socket: Socket): Promise<void> {
    const fate = await this.fateOf(request);
    if (fate === "hang") return;
    if (fate === "break") return void socket.destroy();
    const outgoing = await this.request(request);
    outgoing.on("error", () => socket.destroy());
    outgoing.on("response", async (answer) => {
      const text = await buffer(answer);
      const lines = [
        `HTTP/1.1 ${answer.statusCode} Refused`,
        `content-length: ${text.length}`,
        "connection: close",
      ];
      socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), text]));
    });
    outgoing.on("upgrade", (answer, upstream, head) => {
      const lines = ["HTTP/1.1 101 Switching Protocols"];
      for (let index = 0; index < answer.rawHeaders.length; index += 2)
        lines.push(`${answer.rawHeaders[index]}: ${answer.rawHeaders[index + 1]}`);
      const breakAll = () => {
        socket.destroy();
        upstream.destroy();
      };
      const down = meter(fate, "downAfter", breakAll);
      const up = meter(fate, "upAfter", breakAll);
      for (const end of [upstream, socket]) end.on("error", breakAll);
      socket.once("close", breakAll);
      upstream.once("close", () => fate !== "late" && breakAll());
      const handshake = Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), head]);
      socket.pipe(up).pipe(upstream);
      if (fate !== "late") {
        socket.write(handshake);
        if (fate === "mute") upstream.resume();
        else upstream.pipe(down).pipe(socket);
        return;
      }
      const first: Buffer[] = [];
      const hold = (bytes: Buffer) => first.push(bytes);
      upstream.on("data", hold);
      setTimeout(() => {
        upstream.off("data", hold);
        socket.write(Buffer.concat([handshake, ...first]));
        if (upstream.readableEnded) socket.end();
        else upstream.pipe(down).pipe(socket);
      }, LATE_MS);
    });
    outgoing.end();
  }

  private async fateOf(request: IncomingMessage): Promise<Fate> {
    const url = new URL(request.url ?? "/", "http://proxy");
    const seen = { method: request.method ?? "", path: url.pathname, query: url.searchParams };
    this.seen.push(seen);
    return this.decide(seen);
  }

  private async forward(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const outgoing = await this.request(request);
    return new Promise((resolve, reject) => {
      outgoing.once("response", resolve).once("error", reject).end(body);
    });
  }

  private async request({ method, url, headers }: IncomingMessage) {
    const { server = "" } = this.upstream.getCurrentCluster() ?? {};
    const { ca } = await credentialsOf(this.upstream);
    const target = new URL(server + url);
    return httpsRequest(target, { method, ca, headers: { ...headers, host: target.host }, agent: false });
  }
}

async function credentialsOf(config: KubeConfig) {
  const options = {};
  await config.applyToHTTPSOptions(options);
  return options as { ca?: string };
}

/** Lets bytes through until there are more of them than the fate allows; flips the one that it names. */
function meter(fate: Fate, direction: "upAfter" | "downAfter", breakAll: () => void): Transform {
  const limits: { upAfter?: number; downAfter?: number; flipAt?: number } =
    typeof fate === "object" && !("status" in fate || "rewrite" in fate) ? fate : {};
  const limit = limits[direction] ?? Number.POSITIVE_INFINITY;
  const flipAt = direction === "downAfter" ? (limits.flipAt ?? -1) : -1;
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = Buffer.from(chunk.subarray(0, Math.min(chunk.length, limit - passed)));
      const at = flipAt - passed;
      if (at >= 0 && at < part.length) part.writeUInt8(part.readUInt8(at) ^ 1, at);
      passed += part.length;
      done(null, part);
      if (part.length < chunk.length) setImmediate(breakAll);
    },
  });
}
