/**
 * The verdicts of earlier runs, so that a run that was stopped goes on, and a new test is tried on the survivors only: in the
 * cache folder those of this machine, in `verdicts.json` those that a report was of, for any machine.
 */
import { createHash } from "node:crypto";
import { appendFileSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
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

/** What makes mutants and judges them: a verdict of another way to judge is none. */
const JUDGE = ["compiler", "market-tests", "operators", "syntax", "targets", "trial", "worker"];

function hashOfJudge(): string {
  const files = JUDGE.map((name) => join(root, `scripts/mutation/${name}.ts`));
  return sha256(files.map((file) => readFileSync(file, "utf8")).join(""));
}

/**
 * What is checked in: mutants by the hash of their name and their file's code. What was killed counts as killed until its own
 * file changes; every other verdict is of all the contracts and tests.
 */
interface Kept {
  /** The judge. */
  readonly of: string;
  /** Contracts and tests. */
  readonly tests: string;
  readonly killed: readonly string[];
  readonly invalid: readonly string[];
  readonly sameCode: readonly string[];
  readonly survived: readonly string[];
}

const keptPath = join(root, "scripts/mutation/verdicts.json");

/** Of all that a survivor has survived: contracts and tests. */
function hashOfAll(sources: Sources): string {
  const contracts = [...sources.keys()].filter((file) => file.startsWith("contracts/")).sort();
  const codes = contracts.map((file) => `${file} ${hashOfCode(sources.get(file) ?? "")}\n`);
  const files = globSync(["test/contracts/*.ts", "ignition/**/*.{ts,json}"], { cwd: root }).sort();
  const texts = files.map((file) => readFileSync(join(root, file), "utf8"));
  return sha256([...codes, ...texts].join(""));
}

export class Journal {
  readonly #path: string;
  readonly #of: string;
  /** Hashes of the sources' code, by file. */
  readonly #hashes: ReadonlyMap<string, string>;
  /** Hash of all contracts and tests, and how they are asked. */
  readonly #all: string;
  readonly #tests: string;
  readonly #verdicts = new Map<string, Verdict>();
  readonly #survivedBefore = new Set<string>();

  /** `isQuick`: what survives has not been judged by all tests, and is judged again without this. */
  constructor(sources: Sources, isQuick: boolean) {
    const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper", "mutation");
    mkdirSync(folder, { recursive: true });
    this.#hashes = new Map([...sources].map(([file, text]) => [file, hashOfCode(text)]));
    this.#of = hashOfJudge().slice(0, 16);
    this.#path = join(folder, `${this.#of}.jsonl`);
    this.#all = hashOfAll(sources);
    this.#tests = isQuick ? `${this.#all} quick` : this.#all;
    this.#readKept();
    const lines = existsSync(this.#path) ? readFileSync(this.#path, "utf8").split("\n") : [];
    for (const line of lines.filter((text) => text.endsWith("}"))) {
      const { mutant, tests, verdict }: Entry = JSON.parse(line);
      // Who survived other tests may not survive these, and what another file declares may let a fault compile.
      if (verdict.kind === "killed" || tests === this.#all || tests === this.#tests)
        this.#verdicts.set(mutant, verdict);
      else this.#verdicts.delete(mutant);
      if (verdict.kind === "survived") this.#survivedBefore.add(mutant);
    }
  }

  /** How a mutant is called here. */
  #idOf({ key, file }: Mutant): string {
    return sha256(`${this.#hashes.get(file)} ${key}`).slice(0, 16);
  }

  #readKept(): void {
    const kept: Kept | undefined = existsSync(keptPath)
      ? JSON.parse(readFileSync(keptPath, "utf8"))
      : undefined;
    if (kept?.of !== this.#of) return;
    for (const mutant of kept.killed) this.#verdicts.set(mutant, { kind: "killed", by: "" });
    for (const mutant of kept.survived) this.#survivedBefore.add(mutant);
    if (kept.tests !== this.#all) return;
    for (const mutant of kept.invalid) this.#verdicts.set(mutant, { kind: "invalid" });
    for (const mutant of kept.sameCode) this.#verdicts.set(mutant, { kind: "same code" });
  }

  /** Writes `verdicts.json`. */
  keep(verdicts: readonly { readonly mutant: Mutant; readonly verdict: Verdict }[]): void {
    const all = (kind: Verdict["kind"]) =>
      verdicts
        .filter(({ verdict }) => verdict.kind === kind)
        .map(({ mutant }) => this.#idOf(mutant))
        .sort();
    const kept: Kept = {
      of: this.#of,
      tests: this.#all,
      killed: all("killed"),
      invalid: all("invalid"),
      sameCode: all("same code"),
      survived: all("survived"),
    };
    writeFileSync(keptPath, `${JSON.stringify(kept, null, 2)}\n`);
  }

  verdictOf(mutant: Mutant): Verdict | undefined {
    return this.#verdicts.get(this.#idOf(mutant));
  }

  /** Whether it has survived tests, these or others. */
  hasSurvived(mutant: Mutant): boolean {
    return this.#survivedBefore.has(this.#idOf(mutant));
  }

  write(mutant: Mutant, verdict: Verdict): void {
    const entry: Entry = { mutant: this.#idOf(mutant), tests: this.#tests, verdict };
    this.#verdicts.set(entry.mutant, verdict);
    appendFileSync(this.#path, `${JSON.stringify(entry)}\n`);
  }
}
