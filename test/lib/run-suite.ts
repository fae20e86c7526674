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
}

export interface SuiteResult {
  readonly suite: Suite;
  readonly passed: number;
  readonly failed: number;
  readonly seconds: number;
}

/** Runs a suite with its output shown, and counts. A runner that failed without a failing test counts as one failure. */
export async function runSuite(suite: Suite): Promise<SuiteResult> {
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
    );
    const seconds = (performance.now() - started) / 1000;
    const counted =
      suite.counts === "command"
        ? { passed: 0, failed: 0 }
        : count(suite.counts === "mocha" ? output : await readFile(tap, "utf8").catch(() => ""));
    if (suite.counts === "command")
      return { suite, passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, seconds };
    const brokenRunner = (code !== 0 && counted.failed === 0) || counted.passed + counted.failed === 0;
    return { suite, passed: counted.passed, failed: counted.failed + (brokenRunner ? 1 : 0), seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function runCommand(
  suite: Suite,
  file: string,
  args: readonly string[],
): Promise<{ code: number | null; output: string }> {
  const child = spawn(file === "node" ? process.execPath : file, args, {
    cwd: root,
    env: { ...process.env, FORCE_COLOR: "0", NO_COLOR: "1", ...suite.env },
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const killGroup = (signal: NodeJS.Signals) => {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  };
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    process.stdout.write(text);
  });
  const onInterrupt = () => killGroup("SIGTERM");
  process.once("SIGINT", onInterrupt).once("SIGTERM", onInterrupt);
  const timer = setTimeout(() => {
    console.log(`-- ${suite.name}: over ${suite.timeout} s, ended`);
    killGroup("SIGKILL");
  }, suite.timeout * 1000);
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  clearTimeout(timer);
  process.off("SIGINT", onInterrupt).off("SIGTERM", onInterrupt);
  return { code, output };
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
