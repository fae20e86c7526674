import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "../../client/test/chain.ts";
import { type Replica, startReplicas } from "../../oracle/test/chain/running-quorum.ts";
import { tarOf } from "../../oracle/test/result/hand-made-tar.ts";
import { localRecord } from "./market-fixture.ts";
import { type Ran, runHere } from "./run-command.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

describe("a task whose file asks that two of three results agree, by command, with whole daemons", () => {
  it("is planned, ordered, shown, counted, fetched from one that has won, and approved", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, consumer, spec, until, untilStatus } = market;
    const stateDir = await mkdtemp(join(tmpdir(), "dekuper-quorum-"));
    t.after(() => rm(stateDir, { recursive: true, force: true }));
    const write = (name: string, text: string) => writeFile(join(stateDir, name), text);
    await write("network.json", JSON.stringify(chain.network));
    const { address, key } = consumer;
    const providers = replicas.map(({ provider }) => provider);
    await write("local.json", JSON.stringify(localRecord(chain, { key, address }, providers)));
    const file = join(stateDir, "task.yaml");
    await writeFile(
      file,
      `name: answer
public: true
image: ${spec.image}
command: [compute]
resources: {cpu: 2, memory: 512Mi, storage: 1Gi, duration: 10m}
verification:
  quorum: {agree: 2, of: 3}
`,
    );
    for (const [index, { cluster }] of replicas.entries())
      cluster.output = await tarOf([{ name: "answer", content: index === 2 ? "41" : "42" }]);
    /** Runs a command while the chain goes on. */
    const run = async (...args: string[]): Promise<Ran> => {
      let ran: Ran | undefined;
      const ended = runHere(args, { stateDir }).then((result) => {
        ran = result;
      });
      await until(args.join(" "), () => ran !== undefined);
      await ended;
      assert.ok(ran);
      return ran;
    };

    const plan = await run("task", "plan", file);
    assert.match(plan.stdout, /^agree +2 of 3 must have the same result, each on a node of another owner$/m);
    assert.equal(plan.code, 0, plan.stdout + plan.stderr);
    const submitted = await run("task", "submit", file, "--yes", "--json");
    assert.equal(submitted.code, 0, submitted.stdout + submitted.stderr);
    const { taskId, leaseIds } = submitted.json<{ taskId: Hex; leaseIds: Hex[] }>();
    assert.equal(leaseIds.length, 3);

    await untilStatus(leaseIds, "Running");
    await until("all run", () => replicas.every(({ cluster }) => cluster.running > 0));
    assert.match(
      (await run("task", "show", taskId)).stdout,
      /^agree +2 of 3 must have the same result; 0 sealed, 0 open$/m,
    );
    const logs = await run("task", "logs", taskId, "--json");
    assert.equal(logs.code, 1);
    assert.match(logs.stdout, /READ_DENIED/);
    const early = await run("task", "tally", taskId, "--json");
    assert.match(early.stdout, /WRONG_STATE/);
    assert.match(early.stdout, /3 of its replicas have not committed/);

    await market.pass(60);
    for (const { cluster } of replicas as Replica[]) cluster.exit(60);
    await until("the votes are counted", async () => (await market.ballot(taskId)).isTallied);
    const shown = await run("task", "show", taskId);
    assert.match(shown.stdout, /^agree +2 of 3 must have the same result: they have$/m);
    assert.match(shown.stdout, /ResultsTallied +3 of 3 open, enough alike/);

    const to = join(stateDir, "result");
    const fetched = await run("task", "fetch", taskId, "--to", to, "--json");
    assert.equal(fetched.code, 0, fetched.stdout + fetched.stderr);
    const { member, outputPath } = fetched.json<{ member: number; outputPath: string }>();
    assert.ok([0, 1, 2].includes(member));
    assert.equal(outputPath, join(to, "output"), "one result, in no folder of its replica");
    assert.equal(await readFile(join(outputPath, "answer"), "utf8"), "42");
    const states = (await run("task", "show", taskId, "--json")).json<{
      leases: { index: number; state: string; node: Hex }[];
      ballot: { hasWinner: boolean };
    }>();
    assert.equal(states.ballot.hasWinner, true);
    const lost = states.leases.find(({ node }) => node === replicas[2]?.provider.node);
    assert.equal(lost?.state, "Failed");
    const refused = await run(
      "task",
      "fetch",
      taskId,
      "--member",
      `${lost?.index}`,
      "--to",
      `${to}-2`,
      "--json",
    );
    assert.match(refused.stdout, /not among those that agreed/);
  });
});
