import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isAlive } from "@dekuper/kubernetes/processes";
import { NetworkState } from "../../cli/src/network/state.ts";
import { runJson, start } from "../lib/command-line.ts";
import { leftOf } from "../lib/leftovers.ts";

/** A consumer's and a provider's way by the command alone, on a network of real parts. */
describe("dekuper up, a task by hand, down", () => {
  let folder = "";
  let env: Record<string, string> = {};
  let taskId = "";
  const json = <Value = Record<string, unknown>>(args: readonly string[], exitCode = 0) =>
    runJson<Value>([...args, "--json"], { env, exitCode });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dekuper-command-"));
    env = { DEKUPER_STATE: join(folder, "state") };
    await json(["up"]);
  });
  after(async () => {
    await start("dekuper", ["down"], env).ended;
    await rm(folder, { recursive: true, force: true });
  });

  it("shows what runs", async () => {
    const status = await json<{ running: boolean; providers: { cluster: string; oracle: object }[] }>([
      "status",
    ]);
    assert.equal(status.running, true);
    assert.deepEqual(
      status.providers.map(({ cluster }) => cluster),
      ["ready", "ready"],
    );
    for (const { oracle } of status.providers) assert.ok(oracle);
  });

  it("refuses a second network in the same place and leaves the first alone", async () => {
    const { error } = await json<{ error: { code: string } }>(["up"], 1);
    assert.equal(error.code, "STATE_LOCKED");
    assert.equal((await json<{ running: boolean }>(["status"])).running, true);
  });

  it("sees both nodes online", async () => {
    const nodes = await json<{ status: string; online: boolean }[]>(["node", "status"]);
    assert.equal(nodes.length, 2);
    for (const { status, online } of nodes)
      assert.deepEqual({ status, online }, { status: "Active", online: true });
  });

  it("deposits, plans and submits", async () => {
    await json(["account", "deposit", "50", "--yes"]);
    const plan = await json<{ fitting: string[] }>(["task", "plan", "examples/hello/task.yaml"]);
    assert.ok(plan.fitting.length >= 1);
    const submitted = await json<{ taskId: string }>(["task", "submit", "examples/hello/task.yaml", "--yes"]);
    taskId = submitted.taskId;
    assert.match(taskId, /^0x[0-9a-f]{64}$/);
  });

  it("follows the log to its end", async () => {
    const follow = start("dekuper", ["task", "logs", "--follow", taskId], env);
    assert.equal(await follow.ended, 0, follow.stderr());
    assert.equal(follow.stdout(), "hello from attempt 1\n");
  });

  it("fetches, verifies and approves; the money adds up", async () => {
    const to = join(folder, "result");
    await json(["task", "fetch", taskId, "--to", to]);
    assert.equal(await readFile(join(to, "output", "answer.txt"), "utf8"), "42\n");
    await json(["task", "approve", taskId, "--yes"]);
    const shown = await json<{
      lease: { status: string };
      money: { reserved: string; gross: string; released: string };
    }>(["task", "show", taskId]);
    assert.equal(shown.lease.status, "Settled");
    assert.equal(BigInt(shown.money.gross) + BigInt(shown.money.released), BigInt(shown.money.reserved));
  });

  it("lets nobody else read the result", async () => {
    const { error } = await json<{ error: { code: string } }>(
      ["task", "fetch", taskId, "--to", join(folder, "stolen"), "--as", "provider1"],
      1,
    );
    assert.ok(["READ_DENIED", "NOT_ALLOWED"].includes(error.code), error.code);
  });

  it("refuses a second daemon with the same key, and says who holds it", async () => {
    const [provider] = new NetworkState(env.DEKUPER_STATE ?? "").load()?.providers ?? [];
    assert.ok(provider !== undefined);
    const config = join(provider.oracleDir, "oracle.json");
    const sameFolder = start("dekuper", ["oracle", "run", "--config", config], env);
    assert.equal(await sameFolder.ended, 1);
    assert.match(sameFolder.stderr(), /STATE_LOCKED/);

    const elsewhere = { DEKUPER_ORACLE_STATE_DIR: join(folder, "second"), DEKUPER_ORACLE_HTTP_PORT: "0" };
    const second = start("dekuper", ["oracle", "run", "--config", config], { ...env, ...elsewhere });
    assert.equal(await second.ended, 1);
    assert.match(second.stderr(), /LEADER_LOCK_HELD/);
  });

  it("drains a node: it takes nothing new", async () => {
    const [provider] = new NetworkState(env.DEKUPER_STATE ?? "").load()?.providers ?? [];
    assert.ok(provider !== undefined);
    await json(["node", "drain", provider.operator.address, "--as", "provider1", "--yes"]);
    const node = await json<{ status: string }>(["node", "status", provider.operator.address]);
    assert.equal(node.status, "Draining");
  });

  it("takes everything down, also after kill -9 of its parts, and a second time does no harm", async () => {
    const state = new NetworkState(env.DEKUPER_STATE ?? "");
    const processes = state.load()?.processes ?? [];
    for (const { identity, name } of processes)
      if (name.endsWith("oracle") && isAlive(identity)) process.kill(identity.pid, "SIGKILL");
    assert.deepEqual(await json(["down"]), { stopped: true });
    assert.deepEqual(await leftOf(state.dir), []);
    assert.deepEqual(await json(["down"]), { stopped: false });
  });

  it("interrupted while it starts, leaves nothing", async () => {
    const state = join(folder, "interrupted");
    const up = start("dekuper", ["up", "--state", state], env);
    await up.until(/contracts deployed/, 120_000);
    process.kill(up.child.pid ?? 0, "SIGINT");
    assert.equal(await up.ended, 130);
    assert.deepEqual(await leftOf(state), []);
  });
});
