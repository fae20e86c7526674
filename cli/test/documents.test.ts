/** What the documents say of the command must be so. */
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { catalogue, parseTaskFile } from "@dekuper/protocol";
import type { Command } from "commander";
import { buildProgram } from "../src/program.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFile(join(root, path), "utf8");

describe("the documents", () => {
  let program: Command;
  before(async () => {
    const { stdout, stderr, stdin } = process;
    const streams = { stdout, stderr, stdin };
    program = await buildProgram({ streams, env: {}, signal: AbortSignal.abort(), exitCode: 0, help: "" });
  });

  /** The command that words name, or undefined. */
  function find(words: readonly string[]): Command | undefined {
    let at: Command | undefined = program;
    for (const word of words) at = at?.commands.find((command) => command.name() === word);
    return at === program ? undefined : at;
  }

  /** Fails for each `dekuper ...` in the text that is no command, or has an option that the command lacks. */
  function checkCommands(text: string, from: string): number {
    const lines = [
      ...text.matchAll(/\bdekuper ((?:[a-z]+(?:-[a-z]+)* ?)+)((?:--?[a-z]|<|\[|[A-Z./"0-9])[^`\n]*)?/g),
    ];
    for (const [line, named = "", rest = ""] of lines) {
      const words = named.trim().split(" ");
      const command = find(words.slice(0, 2)) ?? find(words.slice(0, 1));
      assert.ok(command, `${from}: ${line}`);
      assert.ok(command.commands.length === 0 || words.length === 1, `${from}: ${line}`);
      const options = [...command.options, ...program.options].flatMap(({ long, short }) => [long, short]);
      const flags = [...options, "--help", "-h"];
      for (const [flag] of rest.matchAll(/(?<=^| )--?[a-z][a-z-]*/g)) {
        assert.ok(flags.includes(flag), `${from}: ${line} has no ${flag}`);
      }
    }
    return lines.length;
  }

  it("name only commands and options that exist", async () => {
    const pages = ["README.md", "docs/running-a-node.md", "deploy/README.md"];
    for (const example of await readdir(join(root, "examples"))) pages.push(`examples/${example}/README.md`);
    let count = 0;
    for (const page of pages) count += checkCommands(await read(page), page);
    assert.ok(count > 5, "the documents name commands");
  });

  it("and the hints of errors do too", () => {
    for (const [code, { hint }] of Object.entries(catalogue)) {
      for (const [, quoted = ""] of hint.matchAll(/`(dekuper [^`]*)`/g)) checkCommands(`${quoted} `, code);
    }
  });

  it("as do the hints in the code", async () => {
    let count = 0;
    for (const folder of ["client/src", "oracle/src", "cli/src"]) {
      for (const name of await readdir(join(root, folder), { recursive: true })) {
        if (!name.endsWith(".ts")) continue;
        const text = await read(join(folder, name));
        for (const [, hint = ""] of text.matchAll(/[`"](dekuper [^`"\n]*)/g)) {
          if (/ (?:key|salt) \d$/.test(hint)) continue; // the label of a derived key
          count += checkCommands(hint, `${folder}/${name}`);
        }
      }
    }
    assert.ok(count > 20, "the code suggests commands");
  });

  it("explain every command in docs/cli.md", async () => {
    const page = await read("docs/cli.md");
    const visit = (command: Command, path: readonly string[]): void => {
      for (const child of command.commands) {
        const name = [...path, child.name()];
        if (child.commands.length > 0) visit(child, name);
        else assert.match(page, new RegExp(`^## ${name.join(" ")}$`, "m"));
      }
    };
    visit(program, ["dekuper"]);
  });

  it("have examples that are good task files and name their schema", async () => {
    const examples = await readdir(join(root, "examples"));
    assert.ok(examples.length > 0);
    for (const example of examples) {
      const text = await read(`examples/${example}/task.yaml`);
      assert.match(text, /^# yaml-language-server: \$schema=\.\.\/\.\.\/protocol\/task\.schema\.json$/m);
      assert.equal(parseTaskFile(text).name, example);
      assert.match(
        await read(`examples/${example}/README.md`),
        new RegExp(`examples/${example}/task\\.yaml`),
      );
    }
  });
});
