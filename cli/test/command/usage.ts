import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

/** Command lines that are none. */
export function usage(get: () => MarketFixture): void {
  describe("a command line", () => {
    it("shows every command with --help, and exits with 0", async () => {
      const { code, stdout, stderr } = await get().run(["--help"]);
      assert.equal(code, 0);
      assert.equal(stderr, "");
      for (const name of ["account", "task", "node", "oracle", "up", "down", "status", "demo", "start"]) {
        assert.match(stdout, new RegExp(`^  ${name}\\b`, "m"));
      }
    });

    it("shows a group's commands when only the group is named, and exits with 2", async () => {
      const { code, stdout, stderr } = await get().runHere(["task"]);
      assert.equal(code, 2);
      assert.equal(stdout, "");
      for (const name of ["plan", "submit", "list", "show", "logs", "fetch", "cancel", "approve"]) {
        assert.match(stderr, new RegExp(`^  ${name}\\b`, "m"));
      }
      const asJson = await get().runHere(["task", "--json"]);
      assert.equal(asJson.json<{ error: { message: string } }>().error.message, "A command is missing.");
      assert.equal(asJson.code, 2);
    });

    it("lists the oracle's settings where they are needed", async () => {
      const { stdout } = await get().runHere(["oracle", "run", "--help"]);
      assert.match(stdout, /helperImage {2,}.* Needed\./);
      assert.match(stdout, /httpPort {2,}.* Default: 9464\./);
      assert.match(stdout, /password {2,}/);
    });

    it("names an unknown command and what may be meant", async () => {
      await expectError(get(), ["acount"], { code: "USAGE", message: /Unknown command 'acount'.*account/ });
    });

    it("names an unknown option", async () => {
      await expectError(get(), ["account", "show", "--nope"], {
        code: "USAGE",
        message: /Unknown option '--nope'/,
      });
    });

    it("names a missing argument", async () => {
      await expectError(get(), ["task", "submit"], { code: "USAGE", message: /argument 'file'/ });
    });

    it("names a needed option", async () => {
      await expectError(get(), ["oracle", "run"], { code: "USAGE", message: /'--config <file>'/ });
    });

    it("shows where an error comes from with DEKUPER_DEBUG=1", async () => {
      const { stderr } = await get().runHere(["account", "show", "0x1"], { env: { DEKUPER_DEBUG: "1" } });
      assert.match(stderr, /^ {4}at /m);
    });
  });

  describe("a suggested command", () => {
    it("repeats what chose the network and the account", async () => {
      const { networkFile, consumer, write, runHere } = get();
      const keyFile = await write("consumer key", consumer.key);
      const { stdout } = await runHere(["task", "list", "--network", networkFile, "--key-file", keyFile]);
      assert.ok(
        stdout.includes(
          `next: dekuper task submit task.yaml --network ${networkFile} --key-file '${keyFile}'`,
        ),
        stdout,
      );
    });

    it("is one that npm can run when npm runs this one", async () => {
      const { stdout } = await get().runHere(["task", "list"], { env: { npm_lifecycle_event: "dekuper" } });
      assert.match(stdout, /^next: npm run -s dekuper -- task submit task\.yaml$/m);
    });
  });
}
