import { createSocket, type Socket } from "node:dgram";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import type { RunningCluster } from "../../src/index.ts";
import { execute } from "./cluster-fixture.ts";

export interface Target {
  /** What it is, in words, for a failure's message. */
  what: string;
  host: string;
  port: number;
}

/** `refused` is an answer too: the packet arrived. */
export type Answer = "open" | "refused" | "silent" | "unreachable";

/** How long a probe waits for an answer; what answers here does so in a millisecond. */
const WAIT_S = 3;

/** Opens a TCP connection to each target from inside a pod, all at once, and says how each one ended. */
export async function probe(
  cluster: RunningCluster,
  namespace: string,
  pod: string,
  targets: readonly Target[],
): Promise<Record<string, Answer>> {
  const attempts = targets.map(
    ({ host, port }, index) =>
      `(said=$(nc -w ${WAIT_S} ${host} ${port} -e true 2>&1); echo "$said#${index} $?") &`,
  );
  const output = await execute(cluster, namespace, pod, `${attempts.join("\n")}\nwait`);
  const answers = new Map<number, Answer>();
  for (const line of output.split("\n")) {
    const [, said = "", index, status] = line.match(/^(.*)#(\d+) (\d+)\s*$/) ?? [];
    if (index !== undefined) answers.set(Number(index), answerOf(said, status === "0"));
  }
  return Object.fromEntries(
    targets.map(({ what, host, port }, index) => {
      const answer = answers.get(index);
      if (!answer) throw new Error(`no result for ${what} in: ${output}`);
      return [`${what} ${host}:${port}`, answer];
    }),
  );
}

function answerOf(said: string, connected: boolean): Answer {
  if (connected) return "open";
  if (/refused|reset/i.test(said)) return "refused";
  if (/timed out/i.test(said)) return "silent";
  if (/unreachable|no route/i.test(said)) return "unreachable";
  throw new Error(`nc said something unforeseen: ${said}`);
}

/** Sends one UDP packet to each target from inside a pod: the first of a file transfer. */
export async function sendPackets(
  cluster: RunningCluster,
  namespace: string,
  pod: string,
  targets: readonly Target[],
): Promise<void> {
  const attempts = targets.map(
    ({ host, port }) => `timeout 2 tftp -g -r probe -l /tmp/answer ${host} ${port} >/dev/null 2>&1 &`,
  );
  await execute(cluster, namespace, pod, `${attempts.join("\n")}\nwait; true`);
}

/** Listens for TCP and UDP on one port of every address the host has. */
export class HostListener {
  readonly #tcp: Server = createServer((socket) => {
    socket.on("error", () => undefined);
    this.seen.push(`TCP from ${socket.remoteAddress}`);
    socket.end();
  });
  readonly #udp: Socket = createSocket("udp6");
  /** Whatever came in. */
  readonly seen: string[] = [];
  port = 0;

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#tcp.listen(0, "::", resolve));
    const address = this.#tcp.address();
    this.port = typeof address === "object" && address ? address.port : 0;
    this.#udp.on("message", (_, { address: from }) => this.seen.push(`UDP from ${from}`));
    await new Promise<void>((resolve) => this.#udp.bind(this.port, "::", resolve));
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    await new Promise<void>((resolve) => this.#udp.close(resolve));
  }

  /** This port at each address of the host, IPv6 with the pod's own link where the address needs one. */
  targets(): Target[] {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    return addresses
      .filter(({ internal }) => !internal)
      .map(({ address, scopeid }) => ({
        what: "host",
        host: scopeid ? `${address}%eth0` : address,
        port: this.port,
      }));
  }
}
