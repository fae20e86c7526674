import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { root } from "../lib/run-suite.ts";

const read = (path: string) => readFileSync(join(root, path), "utf8");

/** Titles as a page can quote them: what a test fills in is "…". */
function titlesOf(file: string): Set<string> {
  const text = read(file);
  const titles = file.endsWith(".sol")
    ? text.matchAll(/\bfunction (\w+)\(/g)
    : text.matchAll(/\b(?:it|describe)\(\s*(?:"([^"]+)"|`([^`]+)`)/g);
  return new Set(
    [...titles].map(([, plain, template]) => (plain ?? template ?? "").replace(/\$\{[^}]*\}/g, "…")),
  );
}

describe("docs/incidents.md", () => {
  const rows = read("docs/incidents.md")
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (?:Elsewhere|---) /.test(line))
    .map((line) => line.split("|").slice(1, -1));

  it("has a line for each incident, with all four cells", () => {
    assert.equal(rows.length, 21);
    for (const cells of rows) {
      assert.equal(cells.length, 4, cells[0]);
      for (const cell of cells) assert.notEqual(cell.trim(), "", cells[0]);
    }
  });

  it("names only tests that exist, and at least one for each", () => {
    for (const [incident, , , tests = ""] of rows) {
      for (const part of tests.split("<br>")) {
        const [, file, names] = /^\s*`([\w./-]+)`: ("[^"]+"(?:, "[^"]+")*)\s*$/.exec(part) ?? [];
        assert.ok(file !== undefined && names !== undefined, `${incident}: ${part}`);
        const titles = titlesOf(file);
        for (const [, name = ""] of names.matchAll(/"([^"]+)"/g)) {
          assert.ok(titles.has(name), `${incident}: ${file} has no test "${name}"`);
        }
      }
    }
  });
});
