/**
 * Slither over the contracts, tests and test tokens apart: `node scripts/slither.ts`. Fails on a finding that has no answer in
 * `docs/slither.json`, and on an answer that no finding asks for. Needs Python 3.10 or newer; Slither itself is installed
 * from `scripts/slither.requirements.txt` into the user's cache, once.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { compilerVersion, readSources, root, standardInput } from "./mutation/compiler.ts";

interface Finding {
  readonly check: string;
  readonly impact: string;
  readonly description: string;
}

interface Answers {
  /** Detectors whose every finding has the same answer; allowed for low impact only. */
  readonly detectors: readonly { readonly check: string; readonly why: string }[];
  readonly findings: readonly { readonly check: string; readonly finding: string; readonly why: string }[];
}

const requirements = join(root, "scripts/slither.requirements.txt");
const answersPath = join(root, "docs/slither.json");

function run(command: string, args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: root,
    encoding: "utf8",
    timeout: 600_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw new Error(`${command} did not run: ${error.message}`);
  return { status, output: stdout + stderr };
}

function mustRun(command: string, args: readonly string[]): void {
  const { status, output } = run(command, args);
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}\n${output}`);
}

/** Slither's program, installed if these versions are not there yet. */
function installedSlither(): string {
  const hash = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
  const folder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper", `slither-${hash}`);
  const ready = join(folder, "ready");
  if (!existsSync(ready)) {
    console.log("installing Slither, once");
    mkdirSync(folder, { recursive: true });
    mustRun("python3", ["-m", "venv", "--clear", folder]);
    const pip = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes", "--requirement"];
    mustRun(join(folder, "bin/pip"), [...pip, requirements]);
    writeFileSync(ready, "");
  }
  return join(folder, "bin/slither");
}

/** The contracts as standard JSON. Slither wants every source to be a file at its name. */
function input(): string {
  const sources = readSources();
  const judged = [...sources.keys()].filter(
    (file) => /^contracts\/(?!test\/)/.test(file) && !file.endsWith(".t.sol"),
  );
  const standard = JSON.parse(standardInput(sources, judged, compilerVersion, {}));
  const entries = Object.entries(standard.sources);
  standard.sources = Object.fromEntries(
    entries.map(([name, source]) => [name.startsWith("@") ? `node_modules/${name}` : name, source]),
  );
  standard.settings.remappings = ["@=node_modules/@"];
  // As they are deployed: without the intermediate representation some of them have too many variables for the stack.
  standard.settings.viaIR = true;
  standard.settings.optimizer = { enabled: true, runs: 1 };
  standard.settings.outputSelection = {
    "*": { "*": ["abi", "evm.bytecode", "evm.deployedBytecode", "userdoc", "devdoc"], "": ["ast"] },
  };
  return JSON.stringify(standard);
}

function findings(): readonly Finding[] {
  const folder = mkdtempSync(join(tmpdir(), "dekuper-slither-"));
  try {
    const [source, report] = [join(folder, "input.json"), join(folder, "report.json")];
    writeFileSync(source, input());
    // The status says whether there are findings; what is not answered is judged here.
    const compiler = [
      "--compile-force-framework",
      "solc-json",
      "--solc",
      join(root, "scripts/slither.solc.mjs"),
    ];
    const { output } = run(installedSlither(), [
      source,
      ...compiler,
      "--filter-paths",
      "node_modules",
      "--json",
      report,
    ]);
    if (!existsSync(report)) throw new Error(`Slither gave no report\n${output}`);
    const { success, error, results } = JSON.parse(readFileSync(report, "utf8"));
    if (!success) throw new Error(`Slither failed: ${error}`);
    return results.detectors ?? [];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a finding says, without its lines, and without the list of functions that read the same variable. */
function sayingOf({ description }: Finding): string {
  return description
    .replace(/ can be used in cross function[\s\S]*/, "")
    .replace(/ \([\w./-]+\.sol#[\d-]+\)/g, "")
    .replace(/\s+/g, " ")
    .trim();
}

const answers: Answers = JSON.parse(readFileSync(answersPath, "utf8"));
const used = new Set<object>();
const found = findings().map((finding) => {
  const saying = sayingOf(finding);
  const ofAll = answers.detectors.find(({ check }) => check === finding.check);
  const ofOne = answers.findings.find(
    (answer) => answer.check === finding.check && answer.finding === saying,
  );
  const isMinor = /^(Low|Informational|Optimization)$/.test(finding.impact);
  const answer = ofOne ?? (isMinor ? ofAll : undefined);
  if (answer) used.add(answer);
  return { ...finding, saying, answer };
});

const counts = Map.groupBy(found, ({ impact, check }) => `${impact}: ${check}`);
console.table(
  Object.fromEntries(
    [...counts].map(([name, all]) => [
      name,
      { findings: all.length, unanswered: all.filter(({ answer }) => !answer?.why.trim()).length },
    ]),
  ),
);
const open = found.filter(({ answer }) => !answer?.why.trim());
for (const { check, impact, saying } of open) {
  console.error(
    `${impact}, no answer in docs/slither.json: ${JSON.stringify({ check, finding: saying, why: "" })}`,
  );
}
const stale = [...answers.detectors, ...answers.findings].filter((answer) => !used.has(answer));
for (const answer of stale)
  console.error(`no finding asks for this answer any more: ${JSON.stringify(answer)}`);
if (open.length + stale.length > 0) process.exitCode = 1;
else console.log(`${found.length} findings, each answered in docs/slither.json`);
