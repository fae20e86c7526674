import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

/**
 * The wires between the nodes of a test that share a process: whose code has opened a connection is told by its async
 * context, to whom by the port. A cut destroys the real sockets, and each new one as soon as it is connected.
 */
export class Wires {
  private readonly running = new AsyncLocalStorage<string>();
  private readonly owners = new Map<number, string>();
  private readonly cut_ = new Set<string>();
  private readonly sockets = new Map<Socket, string | undefined>();

  private readonly onSocket = (message: unknown): void => {
    const { socket } = message as { socket: Socket };
    this.sockets.set(socket, this.running.getStore());
    socket.once("connect", () => this.sever(socket));
    socket.once("close", () => this.sockets.delete(socket));
  };

  constructor() {
    subscribe("net.client.socket", this.onSocket);
  }

  /** Whatever this starts belongs to the node. */
  run<T>(name: string, work: () => T): T {
    return this.running.run(name, work);
  }

  /** The node listens on this port. */
  listens(name: string, port: number): void {
    this.owners.set(port, name);
  }

  /** From now on the node reaches no other one, and none reaches it. */
  cut(name: string): void {
    this.cut_.add(name);
    for (const socket of this.sockets.keys()) this.sever(socket);
  }

  mend(name: string): void {
    this.cut_.delete(name);
  }

  /** Open connections between the node and others. */
  open(name: string): number {
    return [...this.sockets].filter(([socket]) => !socket.destroyed && this.ends(socket)?.includes(name))
      .length;
  }

  stop(): void {
    unsubscribe("net.client.socket", this.onSocket);
  }

  private ends(socket: Socket): [from: string | undefined, to: string] | undefined {
    const to = this.owners.get(socket.remotePort ?? 0);
    const from = this.sockets.get(socket);
    return to === undefined || to === from ? undefined : [from, to];
  }

  private sever(socket: Socket): void {
    const ends = this.ends(socket);
    if (ends?.some((end) => end !== undefined && this.cut_.has(end)))
      socket.destroy(new Error("the wire is cut"));
  }
}
