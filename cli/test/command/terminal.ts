import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import type { MarketFixture } from "../market-fixture.ts";
import { order, short, TASK } from "./orders.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ESCAPE = "\u001b[";

/** What only a person at a terminal meets, and what ends a command early. */
export function terminal(get: () => MarketFixture): void {
  const ordered = async () =>
    (await get().runHere(["task", "list", "--json"])).json<readonly unknown[]>().length;
  /** Runs on a terminal, types when asked, and returns what was seen without colours. */
  const typing = async (args: readonly string[], question: RegExp, answer: string) => {
    const running = get().startOnTerminal(args);
    await running.shows(question);
    running.child.stdin?.write(answer);
    const { code, stdout } = await running.ended;
    return { code, seen: stripVTControlCharacters(stdout).replaceAll("\r\n", "\n") };
  };

  describe("a question", () => {
    const submit = ["task", "submit", "task.yaml"];
    const question = /Reserve 0\.166667 dUSD and order this task\? .*\[y\/N\]/;
    before(async () => void (await get().write("task.yaml", TASK)));

    it("answered no orders nothing", async () => {
      const count = await ordered();
      const { code, seen } = await typing(submit, question, "n\r");
      assert.equal(code, 1);
      assert.match(seen, /^error: Not confirmed: nothing was done\.$/m);
      assert.equal(await ordered(), count);
    });

    it("answered by Ctrl-D is answered no", async () => {
      const { code, seen } = await typing(submit, question, CTRL_D);
      assert.equal(code, 1);
      assert.match(seen, /^error: Not confirmed: nothing was done\.$/m);
    });

    it("answered by Ctrl-C ends the command with 130", async () => {
      const count = await ordered();
      const { code, seen } = await typing(submit, question, CTRL_C);
      assert.equal(code, 130);
      assert.match(seen, /^Interrupted\.$/m);
      assert.doesNotMatch(seen, /error:/);
      assert.equal(await ordered(), count);
    });

    it("answered yes orders the task", async () => {
      const count = await ordered();
      const { code, seen } = await typing(submit, question, "y\r");
      assert.equal(code, 0);
      assert.match(seen, /^reserved +0\.166667 dUSD$/m);
      assert.equal(await ordered(), count + 1);
    });

    it("for a password does not show what is typed", async () => {
      const { run, stateDir } = get();
      const passwordFile = await get().write("typed-password", "correct horse\n");
      const made = await run(["node", "init", "--dir", "typed", "--password-file", passwordFile, "--json"]);
      const { node } = made.json<{ node: string }>();
      const keystore = join(stateDir, "typed", "operator.json");
      const show = ["account", "show", "--keystore", keystore];
      const { code, seen } = await typing(show, /Password of .*operator\.json:/, "correct horse\r");
      assert.equal(code, 0, seen);
      assert.match(seen, new RegExp(`^account +${node}$`, "m"));
      assert.doesNotMatch(seen, /correct horse/);
      const wrong = await typing(show, /Password of/, "battery staple\r");
      assert.equal(wrong.code, 1);
      assert.match(wrong.seen, /^error: The password does not open the keystore\.$/m);
    });
  });

  describe("colours", () => {
    it("are for terminals only, and none at all with NO_COLOR", async () => {
      const list = ["task", "list"];
      const coloured = await get().startOnTerminal(list).ended;
      assert.ok(coloured.stdout.includes(`${ESCAPE}33mAssigned`), coloured.stdout);
      const plain = await get().startOnTerminal(list, { env: { NO_COLOR: "1" } }).ended;
      assert.ok(!plain.stdout.includes(ESCAPE), plain.stdout);
      const piped = await get().runHere(list);
      assert.ok(!piped.stdout.includes(ESCAPE), piped.stdout);
      assert.equal(stripVTControlCharacters(coloured.stdout).replaceAll("\r\n", "\n"), piped.stdout);
    });

    it("goes with a table that fits the terminal: what matters least is left out", async () => {
      const list = ["task", "list"];
      const wide = await get().startOnTerminal(list).ended;
      assert.match(wide.stdout, /NEEDS/);
      const narrow = await get().startOnTerminal(list, { columns: 80 }).ended;
      const lines = stripVTControlCharacters(narrow.stdout).split("\r\n");
      assert.doesNotMatch(narrow.stdout, /NEEDS/);
      assert.match(lines[0] ?? "", /^TASK +NAME +STATE +.*COST/);
      assert.ok(
        lines.every((line) => line.length <= 80),
        narrow.stdout,
      );
    });
  });

  describe("ending early", () => {
    it("by Ctrl-C while a log is followed exits with 130", async () => {
      const id = await order(get());
      const following = get().start(["task", "logs", short(id), "-f"]);
      await following.shows(/finding the node/);
      following.child.kill("SIGINT");
      const { code, stderr, stdout } = await following.ended;
      assert.equal(code, 130);
      assert.match(stderr, /^Interrupted\.$/m);
      assert.equal(stdout, "");
    });

    it("is no error when the reader has seen enough", async () => {
      const running = get().start(["task", "list", "--json"]);
      running.child.stdout?.destroy();
      const { code, stderr } = await running.ended;
      assert.equal(code, 0);
      assert.equal(stderr, "");
    });
  });
}
