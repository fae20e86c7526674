import { once } from "node:events";
import WebSocket from "ws";
import { ApiError, type ApiStatus, apiError } from "./api-errors.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";

/** Where a command runs. */
export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** How a command ended: its exit code from the status channel, and the end of what it wrote to stderr. */
export interface ExecEnd {
  readonly exitCode: number;
  readonly stderr: string;
}

/** Channels of `v4.channel.k8s.io` and `v5.channel.k8s.io` (client-go, tools/remotecommand). */
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;

const MAX_STDERR = 256 * 1024;
const CHUNK = 64 * 1024;
/** Received bytes that wait for the reader before the socket is paused. */
const HIGH_WATER = 1024 * 1024;
const CONNECT_TIMEOUT_MS = 15_000;
const PING_MS = 10_000;

/**
 * Runs a command in a container. Reading `stdout` slowly pauses the socket, and `stdin` is pulled only as fast as the
 * socket takes it: neither is ever held in memory as a whole. The generator returns how the command ended.
 */
export async function* exec(
  api: KubernetesApi,
  target: ExecTarget,
  command: readonly string[],
  options: { stdin?: AsyncIterable<Uint8Array>; signal: AbortSignal },
): AsyncGenerator<Uint8Array, ExecEnd, void> {
  const { signal } = options;
  signal.throwIfAborted();
  const socket = await connect(api, target, command, options.stdin !== undefined, signal);
  const received: Uint8Array[] = [];
  let waiting = 0;
  let stderr = "";
  let status: ApiStatus | undefined;
  let closed: Error | true | undefined;
  let wake: () => void = () => undefined;
  const abort = () => fail(signal.reason);
  const fail = (error: unknown) => {
    closed ??= error instanceof Error ? error : new Error(String(error));
    socket.terminate();
    wake();
  };
  socket.on("message", (data: Buffer) => {
    const payload = data.subarray(1);
    if (data[0] === STDOUT && payload.length > 0) {
      received.push(payload);
      waiting += payload.length;
      if (waiting > HIGH_WATER) socket.pause();
    } else if (data[0] === STDERR) {
      stderr = (stderr + payload.toString("utf8")).slice(-MAX_STDERR);
    } else if (data[0] === STATUS) {
      try {
        status = JSON.parse(payload.toString("utf8")) as ApiStatus;
        socket.close();
      } catch (error) {
        fail(error);
      }
    }
    wake();
  });
  socket.on("error", fail);
  socket.on("close", () => {
    closed ??= true;
    wake();
  });
  const pings = keepAlive(socket, fail);
  signal.addEventListener("abort", abort, { once: true });
  if (options.stdin !== undefined) void send(socket, options.stdin).catch(fail);
  socket.resume();
  try {
    for (;;) {
      const next = received.shift();
      if (next !== undefined) {
        waiting -= next.length;
        if (waiting < HIGH_WATER / 2 && socket.isPaused) socket.resume();
        yield next;
        continue;
      }
      if (closed instanceof Error) throw closed;
      if (closed) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return { exitCode: exitCodeOf(status), stderr };
  } finally {
    clearInterval(pings);
    signal.removeEventListener("abort", abort);
    socket.terminate();
  }
}

/** Runs a command whose output is small; throws what `exec` throws. */
export async function execText(
  api: KubernetesApi,
  target: ExecTarget,
  command: readonly string[],
  options: { stdin?: AsyncIterable<Uint8Array>; signal: AbortSignal; maxBytes?: number },
): Promise<ExecEnd & { stdout: Uint8Array }> {
  const maxBytes = options.maxBytes ?? CHUNK;
  const run = exec(api, target, command, options);
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { value, done } = await run.next();
      if (done) return { ...value, stdout: Buffer.concat(parts) };
      size += value.length;
      if (size > maxBytes) throw new Error(`the command wrote more than ${maxBytes} bytes`);
      parts.push(value);
    }
  } finally {
    await run.return({ exitCode: -1, stderr: "" });
  }
}

async function connect(
  api: KubernetesApi,
  { namespace, pod, container }: ExecTarget,
  command: readonly string[],
  stdin: boolean,
  signal: AbortSignal,
): Promise<WebSocket> {
  const url = new URL(`${api.server.replace(/\/$/, "")}/api/v1/namespaces/${namespace}/pods/${pod}/exec`);
  url.protocol = url.protocol === "http:" ? "ws:" : "wss:";
  const query = { container, stdin, stdout: true, stderr: true, tty: false };
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
  for (const part of command) url.searchParams.append("command", part);
  const credentials = (await api.credentials()) as WebSocket.ClientOptions;
  const socket = new WebSocket(url, ["v5.channel.k8s.io", "v4.channel.k8s.io"], {
    ...credentials,
    handshakeTimeout: CONNECT_TIMEOUT_MS,
    perMessageDeflate: false,
  });
  const refused = new Promise<never>((_, reject) => {
    socket.once("unexpected-response", (_request, answer) => {
      const parts: Buffer[] = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.once("close", () =>
        reject(apiError(answer.statusCode ?? 0, Buffer.concat(parts).toString("utf8"))),
      );
    });
  });
  refused.catch(() => undefined);
  // Frames may come in one piece with the handshake: they wait until somebody listens.
  socket.once("open", () => socket.pause());
  try {
    await Promise.race([once(socket, "open", { signal }), refused]);
    return socket;
  } catch (error) {
    socket.on("error", () => undefined); // terminate() before the handshake reports itself as an error
    socket.terminate();
    throw error;
  }
}

/** Sends stdin piece by piece, each after the socket has taken the one before; then closes the channel where v5 allows it. */
async function send(socket: WebSocket, stdin: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const bytes of stdin) {
    for (let offset = 0; offset < bytes.length; offset += CHUNK) {
      if (socket.readyState !== WebSocket.OPEN) return; // the command ended: its status says why
      const frame = Buffer.concat([Uint8Array.of(STDIN), bytes.subarray(offset, offset + CHUNK)]);
      await new Promise<void>((resolve) => socket.send(frame, () => resolve()));
    }
  }
  if (socket.protocol.startsWith("v5.") && socket.readyState === WebSocket.OPEN) {
    socket.send(Uint8Array.of(CLOSE, STDIN));
  }
}

/** A peer that vanished sends no FIN: pings that stay unanswered end the stream. */
function keepAlive(socket: WebSocket, fail: (error: Error) => void): NodeJS.Timeout {
  let unanswered = 0;
  socket.on("pong", () => {
    unanswered = 0;
  });
  socket.on("message", () => {
    unanswered = 0;
  });
  const timer = setInterval(() => {
    if (socket.isPaused) return; // pongs are not read either
    if (unanswered >= 3) fail(new Error("the exec stream went silent"));
    unanswered += 1;
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  }, PING_MS);
  timer.unref();
  return timer;
}

/** The exit code in a status frame (`NonZeroExitCode` in its causes); anything else than an exit is thrown. */
function exitCodeOf(status: ApiStatus | undefined): number {
  if (status === undefined) throw new Error("the exec stream ended without a status");
  const { status: word, details } = status as { status?: string; details?: { causes?: ExitCause[] } };
  if (word === "Success") return 0;
  const cause = details?.causes?.find(({ reason }) => reason === "ExitCode");
  if (cause?.message !== undefined) return Number(cause.message);
  throw new ApiError(status.code ?? 500, status.reason ?? "", status.message ?? "the command did not run");
}

interface ExitCause {
  readonly reason?: string;
  readonly message?: string;
}
