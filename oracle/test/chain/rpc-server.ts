import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

/** An error that an RPC answers with. */
export class RpcFault extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** Answers one method; what it throws as `RpcFault` is answered as an error. */
export type Handler = (...params: never[]) => unknown;

/** `answers`: as it should. `down`: HTTP 503. `limited`: HTTP 429. `hangs`: never. `garbage`: not JSON. */
export type Mood = "answers" | "down" | "limited" | "hangs" | "garbage";

interface Request {
  readonly id: number;
  readonly method: string;
  readonly params?: never[];
}

/** A JSON-RPC server of a test: answers what it is told to, and passes the rest on where there is somebody to pass it to. */
export class RpcServer {
  readonly url: string;
  readonly handlers: Map<string, Handler>;
  /** Every method that was asked for. */
  readonly asked: string[] = [];
  mood: Mood = "answers";
  private readonly upstream: string | undefined;

  private constructor(url: string, handlers: Map<string, Handler>, upstream: string | undefined) {
    this.url = url;
    this.handlers = handlers;
    this.upstream = upstream;
  }

  static async start(
    t: Pick<TestContext, "after">,
    handlers: Record<string, Handler>,
    upstream?: string,
  ): Promise<RpcServer> {
    const http = createServer(async (request, response) => {
      let body = "";
      for await (const bytes of request) body += bytes;
      const { mood } = rpc;
      if (mood === "hangs") return;
      if (mood === "down" || mood === "limited") {
        response.statusCode = mood === "down" ? 503 : 429;
        return response.end();
      }
      if (mood === "garbage") return response.end("<html>");
      const parsed = JSON.parse(body) as Request | Request[];
      const answer = Array.isArray(parsed)
        ? await Promise.all(parsed.map((one) => rpc.answer(one)))
        : await rpc.answer(parsed);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(answer));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    const rpc = new RpcServer(
      `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
      new Map(Object.entries(handlers)),
      upstream,
    );
    t.after(() => {
      http.closeAllConnections();
      http.close();
    });
    return rpc;
  }

  count(method: string): number {
    return this.asked.filter((asked) => asked === method).length;
  }

  private async answer({ id, method, params = [] }: Request): Promise<object> {
    this.asked.push(method);
    const handler = this.handlers.get(method);
    try {
      if (handler !== undefined) return { jsonrpc: "2.0", id, result: (await handler(...params)) ?? null };
      if (this.upstream !== undefined) return await this.pass({ id, method, params });
      throw new RpcFault(-32601, `the method ${method} does not exist`);
    } catch (error) {
      if (!(error instanceof RpcFault)) throw error;
      const { code, message, data } = error;
      return { jsonrpc: "2.0", id, error: { code, message, ...(data === undefined ? {} : { data }) } };
    }
  }

  private async pass(request: Request): Promise<object> {
    const answer = await fetch(this.upstream as string, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", ...request }),
    });
    return (await answer.json()) as object;
  }
}
