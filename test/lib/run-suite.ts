import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** One command of the test run. `counts` says who counts: the command itself is one check, or its runner has figures. */
export interface Suite {
  readonly group: string;
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly counts: "command" | "node-test" | "mocha";
  /** Seconds after which it is ended and failed. */
  readonly timeout: number;
  readonly env?: Readonly<Record<string, string>>;
  /** What only one suite at a time may use. */
  readonly uses?: "clusters" | "the built dApp";
}

export interface SuiteResult {
  readonly suite: Suite;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
  /** What the suite said of its failures; empty where there are none. */
  readonly report: string;
}

/** Where a suite's output goes, as it comes. */
export type Write = (text: string) => void;

/** Lines of a failed suite's report. */
const MOST_LINES = 60;

/** Runs a suite, ended by `signal`, tells `write` its output, and counts. A runner that failed without a failing test counts as one failure. */
export async function runSuite(suite: Suite, write: Write, signal: AbortSignal): Promise<SuiteResult> {
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "dekuper-suite-"));
  try {
    const tap = join(folder, "results.tap");
    const reporters =
      suite.counts === "node-test"
        ? [
            "--test-reporter=spec",
            "--test-reporter-destination=stdout",
            "--test-reporter=tap",
            `--test-reporter-destination=${tap}`,
          ]
        : [];
    const [file, ...args] = suite.command;
    const { code, output } = await runCommand(
      suite,
      file,
      suite.counts === "node-test" ? [...reporters, ...args] : args,
      write,
      signal,
    );
    const seconds = (performance.now() - started) / 1000;
    const counted =
      suite.counts === "command"
        ? { passed: 0, failed: 0 }
        : count(suite.counts === "mocha" ? output : await readFile(tap, "utf8").catch(() => ""));
    const isBroken = (code !== 0 && counted.failed === 0) || counted.passed + counted.failed === 0;
    const { passed, failed } =
      suite.counts === "command"
        ? { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 }
        : { passed: counted.passed, failed: counted.failed + (isBroken ? 1 : 0) };
    return { suite, passed, failed, seconds, report: failed === 0 ? "" : reportIn(output) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCommand(
  suite: Suite,
  file: string,
  args: readonly string[],
  write: Write,
  signal: AbortSignal,
): Promise<{ code: number | null; output: string }> {
  const child = spawn(file === "node" ? process.execPath : file, args, {
    cwd: root,
    env: { ...process.env, FORCE_COLOR: "0", NO_COLOR: "1", ...suite.env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const killGroup = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  };
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      write(text);
    });
  }
  const onAbort = () => killGroup("SIGTERM");
  signal.addEventListener("abort", onAbort);
  const timer = setTimeout(() => {
    write(`-- ${suite.name}: over ${suite.timeout} s, ended\n`);
    killGroup("SIGKILL");
  }, suite.timeout * 1000);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  clearTimeout(timer);
  signal.removeEventListener("abort", onAbort);
  return { code, output };
}

/** A test runner lists its failures at the end; any other command's last lines say why it failed. */
function reportIn(output: string): string {
  const lines = output.trimEnd().split("\n");
  const list = lines.findLastIndex((line) => /^✖ failing tests:|^ *\d+ failing\b/.test(line));
  const found = list === -1 ? lines.slice(-MOST_LINES) : lines.slice(list);
  const left = found.length - MOST_LINES;
  return [...found.slice(0, MOST_LINES), ...(left > 0 ? [`... and ${left} more lines`] : [])].join("\n");
}

/** Sums TAP's "# pass N", or takes Hardhat's own total "N passing (x solidity, y mocha)", "N failing (...)". */
function count(text: string): { passed: number; failed: number } {
  const sum = (pattern: RegExp) =>
    [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
  return {
    passed: sum(/^# pass (\d+)$/gm) + sum(/^(\d+) passing \(.*solidity/gm),
    failed:
      sum(/^# fail (\d+)$/gm) + sum(/^# cancelled (\d+)$/gm) + sum(/^(\d+) failing \(.*(?:solidity|mocha)/gm),
  };
}
