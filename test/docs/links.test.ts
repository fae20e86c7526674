/** What the pages point to must be there: files, headings, folders named in passing, npm scripts. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, it } from "node:test";
import { root } from "../lib/run-suite.ts";
import { headingsOf, linksOf, type Page } from "./markdown.ts";

const read = (path: string): Page => ({ path, text: readFileSync(join(root, path), "utf8") });

/** Everything that a clone has, and what is about to be committed. */
const files = new Set(
  execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 16 * 1024 * 1024,
  })
    .split("\0")
    .filter(Boolean),
);
const folders = new Set([...files].flatMap(foldersOf));
const pages = [...files].filter((path) => path.endsWith(".md")).map(read);

/** `a/b/c.md` is in `a` and `a/b`. */
function foldersOf(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === "." ? [] : [parent, ...foldersOf(parent)];
}

const exists = (path: string): boolean => path === "." || files.has(path) || folders.has(path);

describe("the pages", () => {
  it("are there to be checked", () => {
    assert.ok(pages.length > 10, `${pages.length} pages`);
    assert.ok(pages.flatMap(linksOf).length > 30);
  });

  it("link only to files and folders that a clone has", () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter(({ path }) => !exists(path))
        .map(({ target }) => `${page.path}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it("link only to headings that the other page has", () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter(({ path, heading }) => heading !== undefined && files.has(path) && path.endsWith(".md"))
        .filter(({ path, heading }) => !headingsOf(read(path)).has(heading ?? ""))
        .map(({ target }) => `${page.path}: ${target}`),
    );
    assert.deepEqual(broken, []);
  });

  it("name only paths that exist where they name one of the repository's folders", () => {
    const tops = new Set([...folders].filter((path) => !path.includes("/")));
    const broken = pages.flatMap((page) =>
      [...page.text.matchAll(/`([\w.-]+(?:\/[\w.*-]+)+\/?)`/g)]
        .map(([, named = ""]) => posix.normalize(named).replace(/\/$/, ""))
        .filter((named) => tops.has(named.split("/")[0] ?? ""))
        .filter((named) => !["", dirname(page.path), "contracts"].some((from) => means(join(from, named))))
        .map((named) => `${page.path}: ${named}`),
    );
    assert.deepEqual(broken, []);
  });

  it("name only npm scripts that exist", () => {
    const { scripts } = JSON.parse(read("package.json").text) as { scripts: Record<string, string> };
    const broken = pages.flatMap((page) =>
      [...page.text.matchAll(/\bnpm (?:(start|test)\b|run (?:-s )?([\w-]+))/g)]
        .map(([, short, long]) => short ?? long ?? "")
        .filter((script) => !(script in scripts))
        .map((script) => `${page.path}: npm run ${script}`),
    );
    assert.deepEqual(broken, []);
  });

  it("are all reached from the README", () => {
    const reached = new Set<string>();
    const queue = ["README.md"];
    for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
      if (reached.has(path)) continue;
      reached.add(path);
      const isFolder = folders.has(path);
      if (isFolder)
        queue.push(...[...files].filter((file) => file.startsWith(`${path}/`) && file.endsWith("README.md")));
      else if (path.endsWith(".md") && files.has(path))
        queue.push(...linksOf(read(path)).map((link) => link.path));
    }
    assert.deepEqual(
      pages.map(({ path }) => path).filter((path) => !reached.has(path)),
      [],
    );
  });
});

/** Whether there is such a file or folder; `*` in it stands for any name. */
function means(path: string): boolean {
  return exists(path) || (path.includes("*") && [...files].some((file) => posix.matchesGlob(file, path)));
}
