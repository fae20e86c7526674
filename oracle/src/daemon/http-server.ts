import { createServer, type Server } from "node:http";
import { DekuperError } from "@dekuper/protocol";
import type { Registry } from "prom-client";

/** What the daemon tells who asks: whether it lives, whether it can take work, its figures, its state. */
export interface StatusSource {
  readonly registry: Registry;
  /** Why it is not ready, or undefined. */
  notReady(): string | undefined;
  status(): unknown;
}

/** Serves /healthz, /readyz, /metrics and /status. `PORT_TAKEN` names the port. */
export async function startHttpServer(
  host: string,
  port: number,
  source: StatusSource,
): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const send = ({ code, type, body }: Answer) =>
      response.writeHead(code, { "content-type": type }).end(body);
    answer(request.url ?? "/", source).then(send, (error: unknown) =>
      send({ code: 500, type: "text/plain", body: `${String(error)}\n` }),
    );
  });
  await listen(server, host, port);
  const address = server.address();
  const actual = typeof address === "object" && address !== null ? address.port : port;
  return {
    url: `http://${host}:${actual}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

async function answer(target: string, source: StatusSource): Promise<Answer> {
  const text = (code: number, body: string) => ({ code, type: "text/plain", body: `${body}\n` });
  switch (target.split("?", 1)[0]) {
    case "/healthz":
      return text(200, "ok");
    case "/readyz": {
      const reason = source.notReady();
      return text(reason === undefined ? 200 : 503, reason ?? "ok");
    }
    case "/metrics":
      return { code: 200, type: source.registry.contentType, body: await source.registry.metrics() };
    case "/status":
      return { code: 200, type: "application/json", body: JSON.stringify(source.status(), bigintAsText) };
    default:
      return text(404, "there are /healthz, /readyz, /metrics and /status");
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        error.code === "EADDRINUSE"
          ? new DekuperError("PORT_TAKEN", `Port ${port} on ${host} is in use.`, { details: { host, port } })
          : error,
      );
    });
    server.listen(port, host, resolve);
  });
}

function bigintAsText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
