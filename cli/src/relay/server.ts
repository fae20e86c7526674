import { createServer, type IncomingMessage, type Server } from "node:http";
import { DekuperError, isDekuperError, MAX_RELAY_BYTES, relayBatchSchema } from "@dekuper/protocol";
import type { Carrier } from "./carrier.ts";
import type { RelayRules } from "./judge.ts";
import { RateLimit } from "./rate-limit.ts";

/** Requests of one address a minute, good or bad: each costs an RPC call or two. */
const PER_ADDRESS = 60;
const REQUEST_TIMEOUT_MS = 15_000;
const MAX_CONNECTIONS = 128;
/** Any page may ask: what counts is who has signed, and nothing here goes by cookies. */
const FOR_PAGES = {
  "access-control-allow-origin": "*",
  "access-control-allow-methods": "GET, POST",
  "access-control-allow-headers": "content-type",
  "access-control-max-age": "86400",
};

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** Serves `GET /` (the relay's terms) and `POST /` (a batch). `PORT_TAKEN` names the port. */
export async function startRelayServer(from: {
  host: string;
  /** 0: any free one. */
  port: number;
  rules: RelayRules;
  carrier: Pick<Carrier, "carry">;
}): Promise<{ url: string; stop(): Promise<void> }> {
  const rate = new RateLimit(PER_ADDRESS);
  const server = createServer((request, response) => {
    const send = ({ status, body }: Answer) =>
      response
        .writeHead(status, { "content-type": "application/json", connection: "close", ...FOR_PAGES })
        .end(JSON.stringify(body, (_, value) => (typeof value === "bigint" ? value.toString() : value)));
    const remote = request.socket.remoteAddress ?? "";
    const answered = rate.take(remote)
      ? answer(request, from)
      : Promise.resolve(refused(429, "too-many", `${PER_ADDRESS} requests a minute are answered.`));
    answered.then(send, (error: unknown) => {
      const code = isDekuperError(error) ? error.code : "INTERNAL";
      const message = isDekuperError(error) ? error.message : "Something went wrong here.";
      send({ status: 503, body: { error: { code, message } } });
    });
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  await listen(server, from.host, from.port);
  const bound = server.address();
  const port = typeof bound === "object" && bound !== null ? bound.port : from.port;
  return {
    url: `http://${from.host.includes(":") ? `[${from.host}]` : from.host}:${port}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  { rules, carrier }: { rules: RelayRules; carrier: Pick<Carrier, "carry"> },
): Promise<Answer> {
  const { chainId, forwarder } = rules.deployment;
  if (request.url?.split("?", 1)[0] !== "/") return refused(404, "invalid", "There is only /.");
  if (request.method === "GET")
    return { status: 200, body: { chainId, forwarder, relayer: rules.relayer, fee: rules.fee } };
  if (request.method === "OPTIONS") return { status: 200, body: {} };
  if (request.method !== "POST") return refused(405, "invalid", "There are GET and POST.");
  const text = await readBody(request);
  if (text === undefined) return refused(413, "invalid", `The batch has more than ${MAX_RELAY_BYTES} bytes.`);
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return refused(400, "invalid", "The batch is not JSON.");
  }
  const parsed = relayBatchSchema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const field = issue?.path.join(".") || "(whole batch)";
    return refused(
      400,
      "invalid",
      `${field}: ${issue?.message.replace(/^Invalid input: /, "") ?? "not valid"}.`,
    );
  }
  const carried = await carrier.carry(parsed.data.requests);
  if ("hash" in carried) return { status: 200, body: carried };
  return refused(422, carried.refusal.code, carried.refusal.message);
}

function refused(status: number, code: string, message: string): Answer {
  return { status, body: { error: { code, message } } };
}

/** The body as text, undefined where it is too large. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_RELAY_BYTES) return undefined;
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const taken = new DekuperError("PORT_TAKEN", `Port ${port} on ${host} is in use.`, {
        details: { host, port },
      });
      reject(error.code === "EADDRINUSE" ? taken : error);
    });
    server.listen(port, host, resolve);
  });
}
