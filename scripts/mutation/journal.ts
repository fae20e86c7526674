/** The verdicts of earlier runs, so that a run that was stopped goes on, and a new test is tried on the survivors only. */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { root, type Sources } from "./compiler.ts";
import type { Mutant } from "./operators.ts";
import type { Verdict } from "./trial.ts";

interface Entry {
  readonly mutant: string;
  readonly tests: string;
  readonly verdict: Verdict;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** The hash of a source's code: comments and spacing apart, so that a better comment calls for no new run. */
export function hashOfCode(source: string): string {
  const code = source.replace(
    /("(?:[^"\\]|\\.)*")|\/\/.*|\/\*[\s\S]*?\*\//g,
    (_, text?: string) => text ?? " ",
  );
  return sha256(code.replace(/\s+/g, " ").trim());
}

const isTest = (file: string) => file.startsWith("contracts/test/") || file.endsWith(".t.sol");

function hashOf(sources: Sources, isWanted: (file: string) => boolean): string {
  const files = [...sources.keys()].filter((file) => file.startsWith("contracts/") && isWanted(file)).sort();
  return sha256(files.map((file) => `${file} ${hashOfCode(sources.get(file) ?? "")}\n`).join(""));
}

function hashOfTests(sources: Sources): string {
  const files = globSync(["test/contracts/*.ts", "ignition/**/*.{ts,json}"], { cwd: root }).sort();
  const texts = files.map((file) => readFileSync(join(root, file), "utf8"));
  return sha256(hashOf(sources, isTest) + texts.join(""));
}

export class Journal {
  readonly #path: string;
  readonly #tests: string;
  readonly #verdicts = new Map<string, Verdict>();

  constructor(sources: Sources) {
    const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper", "mutation");
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, `${hashOf(sources, (file) => !isTest(file)).slice(0, 16)}.jsonl`);
    this.#tests = hashOfTests(sources);
    const lines = existsSync(this.#path) ? readFileSync(this.#path, "utf8").split("\n") : [];
    for (const line of lines.filter((text) => text.endsWith("}"))) {
      const { mutant, tests, verdict }: Entry = JSON.parse(line);
      // Who survived other tests may not survive these.
      if (verdict.kind !== "survived" || tests === this.#tests) this.#verdicts.set(mutant, verdict);
      else this.#verdicts.delete(mutant);
    }
  }

  verdictOf(mutant: Mutant): Verdict | undefined {
    return this.#verdicts.get(sha256(mutant.text));
  }

  write(mutant: Mutant, verdict: Verdict): void {
    const entry: Entry = { mutant: sha256(mutant.text), tests: this.#tests, verdict };
    this.#verdicts.set(entry.mutant, verdict);
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
  }
}
