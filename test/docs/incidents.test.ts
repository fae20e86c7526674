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

/** The cells of a page's lines that have a cell of tests: `file`: "title", "title"<br>`file`: "title". */
function rowsWithTests(page: string): string[][] {
  return read(page)
    .split("\n")
    .filter((line) => /^\| .*`[\w./-]+\.(?:ts|sol)`: "/.test(line))
    .map((line) => line.split("|").slice(1, -1));
}

function assertTestsExist([what = "", ...cells]: readonly string[]): void {
  for (const part of (cells.at(-1) ?? "").split("<br>")) {
    const [, file, names] = /^\s*`([\w./-]+)`: ("[^"]+"(?:, "[^"]+")*)\s*$/.exec(part) ?? [];
    assert.ok(file !== undefined && names !== undefined, `${what}: ${part}`);
    const titles = titlesOf(file);
    for (const [, name = ""] of names.matchAll(/"([^"]+)"/g)) {
      assert.ok(titles.has(name), `${what}: ${file} has no test "${name}"`);
    }
  }
}

describe("docs/incidents.md", () => {
  const rows = rowsWithTests("docs/incidents.md");

  it("has a line for each incident, with all four cells", () => {
    assert.equal(rows.length, 21);
    for (const cells of rows) {
      assert.equal(cells.length, 4, cells[0]);
      for (const cell of cells) assert.notEqual(cell.trim(), "", cells[0]);
    }
  });

  it("names only tests that exist, and at least one for each", () => {
    for (const row of rows) assertTestsExist(row);
  });
});

describe("docs/threat-model.md", () => {
  const attacks = read("docs/threat-model.md")
    .split(/^## /m)
    .filter((section) => section.startsWith("Attacks "))
    .flatMap((section) => section.split("\n").filter((line) => /^\| (?!Attack \||---)/.test(line)));

  it("has the tests of each attack in its line", () => {
    const rows = rowsWithTests("docs/threat-model.md");
    assert.ok(rows.length > 40, `${rows.length} attacks`);
    assert.equal(rows.length, attacks.length);
    for (const cells of rows) assert.equal(cells.length, 3, cells[0]);
  });

  it("names only tests that exist", () => {
    for (const row of rowsWithTests("docs/threat-model.md")) assertTestsExist(row);
  });
});
