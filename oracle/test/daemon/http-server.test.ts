import assert from "node:assert/strict";
import { request } from "node:http";
import { after, before, describe, it } from "node:test";
import { type StatusSource, startHttpServer } from "../../src/daemon/http-server.ts";
import { createMetrics } from "../../src/daemon/metrics.ts";

let problem: string | undefined;
let status: () => unknown = () => ({ headBlock: 5, staked: 10n ** 20n });
let server: Awaited<ReturnType<typeof startHttpServer>>;
const { registry, headBlock, peer } = createMetrics();
const source: StatusSource = { registry, notReady: () => problem, status: () => status() };

before(async () => {
  server = await startHttpServer("127.0.0.1", 0, source);
});
after(() => server.stop());

/** Also paths that `fetch` would mend. */
function get(path: string): Promise<{ code: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const sent = request({ hostname, port, path, agent: false }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => {
        body += text;
      });
      response.once("end", () =>
        resolve({ code: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", body }),
      );
    });
    sent.once("error", reject).end();
  });
}

describe("the daemon's HTTP server", () => {
  it("lives", async () => {
    assert.deepEqual(await get("/healthz"), { code: 200, type: "text/plain", body: "ok\n" });
    assert.equal((await get("/healthz?verbose=1")).code, 200);
  });

  it("is ready, or says why not; it lives all the same", async () => {
    assert.equal((await get("/readyz")).code, 200);
    problem = "cluster-unreachable";
    assert.deepEqual(await get("/readyz"), { code: 503, type: "text/plain", body: "cluster-unreachable\n" });
    assert.equal((await get("/healthz")).code, 200);
    problem = undefined;
  });

  it("shows its figures as Prometheus reads them", async () => {
    headBlock.set(42);
    peer.inc({ event: "heartbeats_accepted" }, 3);
    const { type, body } = await get("/metrics");
    assert.match(type, /^text\/plain; version=0\.0\.4/);
    assert.match(body, /^dekuper_chain_head_block 42$/m);
    assert.match(body, /^dekuper_peer_events_total\{event="heartbeats_accepted"\} 3$/m);
    for (const line of body.split("\n").filter((text) => text.startsWith("# HELP ")))
      assert.match(line, /^# HELP dekuper_\w+ \S/, "every figure is ours by its name and explained");
  });

  it("shows its state as JSON, large numbers as text", async () => {
    const { type, body } = await get("/status");
    assert.equal(type, "application/json");
    assert.deepEqual(JSON.parse(body), { headBlock: 5, staked: "100000000000000000000" });
  });

  it("answers anything else with what there is, and goes on after requests that make no sense", async () => {
    for (const path of ["/", "/nothing", "//", "//x:y", "/%zz", "/healthz/.."]) {
      const { code, body } = await get(path);
      assert.equal(code, 404, path);
      assert.match(body, /\/healthz, \/readyz, \/metrics and \/status/);
    }
    assert.equal((await get("/healthz")).code, 200);
  });

  it("goes on when its state cannot be told just now", async () => {
    status = () => {
      throw new Error("database is locked");
    };
    assert.equal((await get("/status")).code, 500);
    assert.equal((await get("/healthz")).code, 200);
  });

  it("names the port that is taken", async () => {
    const port = Number(new URL(server.url).port);
    await assert.rejects(startHttpServer("127.0.0.1", port, source), {
      code: "PORT_TAKEN",
      message: `Port ${port} on 127.0.0.1 is in use.`,
      details: { host: "127.0.0.1", port },
    });
  });

  it("stops although somebody keeps a connection open, and frees the port", async () => {
    const other = await startHttpServer("127.0.0.1", 0, source);
    const port = Number(new URL(other.url).port);
    await (await fetch(`${other.url}/healthz`)).text(); // fetch keeps it alive
    await other.stop();
    const again = await startHttpServer("127.0.0.1", port, source);
    await again.stop();
  });
});
