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
  const server = createServer(async (request, response) => {
    const send = (code: number, type: string, body: string) =>
      response.writeHead(code, { "content-type": type }).end(body);
    switch (new URL(request.url ?? "/", "http://localhost").pathname) {
      case "/healthz":
        return send(200, "text/plain", "ok\n");
      case "/readyz": {
        const reason = source.notReady();
        return send(reason === undefined ? 200 : 503, "text/plain", `${reason ?? "ok"}\n`);
      }
      case "/metrics":
        return send(200, source.registry.contentType, await source.registry.metrics());
      case "/status":
        return send(200, "application/json", JSON.stringify(source.status(), bigintAsText));
      default:
        return send(404, "text/plain", "there are /healthz, /readyz, /metrics and /status\n");
    }
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
