import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { type WebSocket, WebSocketServer } from "ws";
import { KubernetesApi } from "../../src/cluster/kubernetes-api.ts";

export const target = { namespace: "dkp-1", pod: "run-0", container: "helper" } as const;

export interface ExecSession {
  readonly socket: WebSocket;
  readonly url: URL;
  stdout(bytes: Uint8Array | string): void;
  stderr(text: string): void;
  /** The status channel: `Success`, an exit code, or anything else as it is. */
  end(status: number | object | string): void;
}

/** The exec end of an API server, as far as kubelets' framing goes, over a real WebSocket. */
export async function startFakeApiServer(
  serve: (session: ExecSession) => void,
  refuse?: { code: number; body: string },
) {
  const server = createServer((_, response) => response.writeHead(404).end("{}"));
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has("v5.channel.k8s.io") ? "v5.channel.k8s.io" : false),
  });
  server.on("upgrade", (request, socket, head) => {
    if (refuse !== undefined) {
      socket.end(
        `HTTP/1.1 ${refuse.code} No\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(refuse.body)}\r\nconnection: close\r\n\r\n${refuse.body}`,
      );
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const send = (channel: number, bytes: Uint8Array | string) =>
        webSocket.send(Buffer.concat([Uint8Array.of(channel), Buffer.from(bytes)]));
      serve({
        socket: webSocket,
        url: new URL(request.url ?? "/", "http://localhost"),
        stdout: (bytes) => send(1, bytes),
        stderr: (text) => send(2, text),
        end: (status) => send(3, typeof status === "string" ? status : JSON.stringify(statusOf(status))),
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    {
      name: "fake",
      server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      skipTLSVerify: true,
    },
    { name: "nobody" },
  );
  return {
    api: new KubernetesApi(config, 5_000),
    stop: async () => {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function statusOf(status: number | object): object {
  if (typeof status === "object") return status;
  if (status === 0) return { metadata: {}, status: "Success" };
  return {
    metadata: {},
    status: "Failure",
    reason: "NonZeroExitCode",
    message: `command terminated with non-zero exit code: exit ${status}`,
    details: { causes: [{ reason: "ExitCode", message: String(status) }] },
  };
}
