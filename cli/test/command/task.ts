import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { Hex } from "viem";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";
import { order, short, TASK } from "./orders.ts";

/** A task up to its start, and its ways out before that. */
export function task(get: () => MarketFixture): void {
  describe("task plan", () => {
    let file = "";
    before(async () => {
      file = await get().write("task.yaml", TASK);
    });

    it("says which nodes quote, what it costs, and how to go on", async () => {
      const { stdout, code } = await get().run(["task", "plan", "task.yaml"]);
      assert.equal(code, 0);
      assert.match(stdout, /^needs +1 vCPU, 64Mi, container isolation$/m);
      assert.match(stdout, /^cost +0\.166667 dUSD at most, reserved until it ends$/m);
      assert.match(stdout, /^rate +1 dUSD per hour$/m);
      assert.match(stdout, /^0x\w{4}…\w{4} +1 dUSD {2}yes +chosen$/m);
      assert.match(stdout, /^Public: every registered node can read this spec and its inputs\./m);
      assert.match(stdout, /^next: dekuper task submit task\.yaml$/m);
    });

    it("says the same as one JSON value", async () => {
      const { node, runHere } = get();
      const plan = (await runHere(["task", "plan", file, "--json"])).json<{
        fitting: string[];
        atMost: string;
        path: string;
        quotes: { node: string; ratePerHour: string; chosen: number[] }[];
        declined: unknown[];
        problem: null;
      }>();
      assert.equal(plan.path, "quoted");
      assert.deepEqual(plan.fitting, [node.node]);
      assert.deepEqual(
        plan.quotes.map(({ node, ratePerHour, chosen }) => ({ node, ratePerHour, chosen })),
        [{ node: node.node, ratePerHour: "1000000", chosen: [0] }],
      );
      assert.deepEqual(plan.declined, []);
      assert.equal(plan.atMost, "166667");
      assert.equal(plan.problem, null);
    });

    it("says why no node quotes, with the values that decided, and exits with 1", async () => {
      const big = await get().write("big.yaml", TASK.replace("cpu: 1", "gpu: 8x NVIDIA-H100, cpu: 1"));
      const { stdout, stderr, code } = await get().runHere(["task", "plan", big]);
      assert.equal(code, 1);
      assert.match(stdout, / no +it has 0 GPUs free, and the task wants 8 GPUs$/m);
      assert.match(stderr, /^error: Nodes offer 0 of 1 lease: no-free-capacity \(1\)\.$/m);
      const asJson = await get().runHere(["task", "plan", big, "--json"]);
      assert.equal(asJson.json<{ problem: { code: string } }>().problem.code, "NO_NODE_FITS");
      assert.equal(asJson.code, 1);
    });

    it("goes by posted rates where the open path is asked for", async () => {
      const open = await get().runHere(["task", "plan", file, "--open"]);
      assert.match(open.stdout, /^0x\w{4}…\w{4} +1 dUSD {2}yes$/m);
      assert.match(open.stdout, /^next: dekuper task submit .*task\.yaml --open$/m);
      const big = await get().write("big.yaml", TASK.replace("cpu: 1", "gpu: 8x NVIDIA-H100, cpu: 1"));
      const { stdout, stderr, code } = await get().runHere(["task", "plan", big, "--open"]);
      assert.equal(code, 1);
      assert.match(
        stdout,
        / no +gpus: needs 8 GPUs, has 0 free of 0; gpu-model: needs NVIDIA-H100, has no GPU$/m,
      );
      assert.match(stderr, /^error: None of 1 node fits: /m);
    });

    it("says what it costs to begin with where only a part is funded, and what several nodes cost", async () => {
      const gang = await get().write("gang.yaml", `${TASK}nodes: 2\nfund: 5m\n`);
      const { stdout } = await get().runHere(["task", "plan", gang]);
      assert.match(stdout, /^needs +2 nodes, each 1 vCPU, 64Mi, container isolation$/m);
      assert.match(stdout, /^rate +2 dUSD per hour, all nodes together$/m);
      assert.match(stdout, /^cost +0\.333334 dUSD at most$/m);
      assert.match(stdout, /^reserved +0\.166668 dUSD for the first 5m$/m);
      assert.match(stdout, / 2 leases +chosen for members 0, 1$/m);
    });

    it("holds the cost against the budget", async () => {
      const dear = await get().write("dear.yaml", TASK.replace("1 dUSD", "0.1 dUSD"));
      await expectError(get(), ["task", "submit", dear, "--yes"], {
        code: "BUDGET_EXCEEDED",
        message: /may cost 0\.166667 dUSD; its budget is 0\.1 dUSD/,
      });
    });
  });

  describe("task submit", () => {
    it("orders nothing unless it is confirmed", async () => {
      await expectError(get(), ["task", "submit", await get().write("task.yaml", TASK)], {
        code: "USAGE",
        message: /asks for a confirmation/,
        hint: /--yes/,
      });
    });

    it("says what is missing when escrow is short, and how to deposit it", async () => {
      const { chain, runHere, write } = get();
      const poor = await chain.account(5);
      const options = { env: { DEKUPER_PRIVATE_KEY: poor.key } };
      const args = ["task", "submit", await write("task.yaml", TASK), "--yes"];
      const error = await expectError(
        get(),
        args,
        { code: "INSUFFICIENT_FUNDS", message: /reserves 0\.166667 dUSD; .* has 0 dUSD free in escrow/ },
        options,
      );
      const amount = /`dekuper account deposit "(.*)"`/.exec(error.hint)?.[1] ?? "";
      assert.equal((await runHere(["account", "deposit", amount], options)).code, 0);
      assert.equal((await runHere(args, options)).code, 0);
    });

    it("puts the spec on the node, orders, and prints the next commands with the id", async () => {
      const { stdout, stderr, code } = await get().run(["task", "submit", "task.yaml", "--yes"]);
      assert.equal(code, 0);
      const id = /^task +(0x[0-9a-f]{64})$/m.exec(stdout)?.[1] ?? "";
      assert.match(stderr, /^✓ 0x\w{4}…\w{4} has spec and inputs/m);
      assert.match(stdout, /^reserved +0\.166667 dUSD$/m);
      for (const next of [`logs ${short(id)} -f`, `show ${short(id)}`, `fetch ${short(id)}`]) {
        assert.ok(stdout.includes(`dekuper task ${next}\n`), stdout);
      }
    });
  });

  describe("an open task", () => {
    let id: Hex;
    before(async () => {
      id = await order(get(), { open: true });
    });

    it("stands first in the list, by name", async () => {
      const { stdout } = await get().runHere(["task", "list"]);
      const [, first] = stdout.split("\n");
      assert.match(
        first ?? "",
        new RegExp(`^${short(id)}… {2}hello {2}Open +- +1 vCPU, 64Mi +- +≤ 0\\.166667 dUSD {2}\\d{4}-`),
      );
      assert.ok(stdout.includes(`next: dekuper task show ${short(id)}\n`));
      const [top] = (await get().runHere(["task", "list", "--json"])).json<
        { taskId: string; name: string }[]
      >();
      assert.deepEqual({ taskId: top?.taskId, name: top?.name }, { taskId: id, name: "hello" });
    });

    it("is shown with its timeline and money, by the beginning of its id", async () => {
      const { stdout } = await get().run(["task", "show", short(id)]);
      assert.match(stdout, new RegExp(`^task +${id}$`, "m"));
      assert.match(stdout, /^status +Open \(waiting for a node\)$/m);
      assert.match(stdout, / {2}TaskCreated +\d+ +[\d,]+ {2}0x[0-9a-f]{64}$/m);
      assert.match(stdout, / {2}Reserved +0\.166667 dUSD +\d+ +"$/m);
      assert.match(stdout, /^paid +0 dUSD$/m);
      assert.ok(
        stdout.includes(`next: dekuper task logs ${short(id)} -f\n      dekuper task cancel ${short(id)}\n`),
      );
    });

    it("is shown by its lease's id too, as one JSON value", async () => {
      const byTask = (await get().runHere(["task", "show", id, "--json"])).json<{
        lease: { leaseId: string };
        timeline: { name: string }[];
      }>();
      assert.deepEqual(
        byTask.timeline.map(({ name }) => name),
        ["TaskCreated", "Reserved"],
      );
      const byLease = await get().runHere(["task", "show", byTask.lease.leaseId, "--json"]);
      assert.equal(byLease.json<{ taskId: string }>().taskId, id);
    });

    it("has neither log nor output, and can not be approved", async () => {
      await expectError(get(), ["task", "logs", id], {
        code: "WRONG_STATE",
        message: /is Open: no node runs it/,
      });
      await expectError(get(), ["task", "fetch", id], { code: "WRONG_STATE", message: /is Open/ });
      await expectError(get(), ["task", "approve", id], {
        code: "WRONG_STATE",
        message: /the lease is Open/,
      });
    });

    it("is cancelled by its own consumer only", async () => {
      const stranger = await get().chain.account(1);
      await expectError(
        get(),
        ["task", "cancel", id],
        { code: "NOT_ALLOWED", message: /is not the task's consumer/ },
        { env: { DEKUPER_PRIVATE_KEY: stranger.key } },
      );
    });

    it("is free to cancel", async () => {
      const { stdout, code } = await get().run(["task", "cancel", short(id)]);
      assert.equal(code, 0);
      assert.match(stdout, /^Cancelled; 0\.166667 dUSD are free again\.$/m);
      const again = await order(get());
      const asJson = await get().runHere(["task", "cancel", again, "--json"]);
      assert.equal(asJson.json<{ status: string }>().status, "Cancelled");
      await expectError(get(), ["task", "cancel", again], {
        code: "WRONG_STATE",
        message: /the lease is Cancelled/,
      });
    });
  });

  describe("a task id", () => {
    it("that is none is USAGE", async () => {
      await expectError(get(), ["task", "show", "hello"], {
        code: "USAGE",
        message: /Got "hello" as task id/,
        hint: /`dekuper task list`/,
      });
    });

    it("that nobody ordered is NOT_FOUND", async () => {
      const id = `0x${"ab".repeat(32)}`;
      await expectError(get(), ["task", "show", id], { code: "NOT_FOUND", message: new RegExp(id) });
      await expectError(get(), ["task", "show", "0xabcdef"], {
        code: "NOT_FOUND",
        message: /None of your tasks begins with 0xabcdef/,
      });
    });
  });
}
