/** Processes that judge mutants side by side. */
import { type ChildProcess, fork } from "node:child_process";
import { root } from "./compiler.ts";
import type { Mutant } from "./operators.ts";
import type { Verdict } from "./trial.ts";
import type { Answer } from "./worker.ts";

/** A fault that keeps the tests from ending is noticed as well. Far above what a busy machine needs. */
const TOO_LONG_MS = 1_800_000;

/** Starts a process, and waits until it has seen the tests pass on the contracts as they are. */
async function start(): Promise<ChildProcess> {
  const child = fork(new URL("worker.ts", import.meta.url), {
    cwd: root,
    execArgv: ["--disable-warning=ExperimentalWarning"],
    // The simulated chain logs that it is started twice, and Mocha what it runs; a fault of ours comes as a message.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  const answer = await next(child, TOO_LONG_MS);
  if (answer?.kind !== "ready") {
    child.kill("SIGKILL");
    throw new Error(
      answer?.kind === "broken" ? answer.reason : "The tests did not end on the contracts as they are",
    );
  }
  return child;
}

/** The process's next message; nothing where it does not answer in time. */
function next(child: ChildProcess, withinMs: number): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const done = (answer?: Answer) => {
      clearTimeout(timer);
      child.off("message", done).off("exit", onExit);
      resolve(answer);
    };
    const onExit = () => done({ kind: "broken", reason: "The process that ran the tests has ended" });
    const timer = setTimeout(() => done(), withinMs);
    child.on("message", done).on("exit", onExit);
  });
}

/** Judges the mutants in their order with this many processes, begins none after `end` (Unix ms), and tells each verdict as it comes. */
export async function judgeAll(
  mutants: readonly Mutant[],
  jobs: number,
  end: number,
  onVerdict: (mutant: Mutant, verdict: Verdict) => void,
): Promise<void> {
  const queue = [...mutants];
  const work = async () => {
    let child: ChildProcess | undefined;
    try {
      for (let mutant = queue.shift(); mutant !== undefined && Date.now() < end; mutant = queue.shift()) {
        child ??= await start();
        child.send(mutant);
        const answer = await next(child, TOO_LONG_MS);
        if (answer?.kind === "broken") throw new Error(`${mutant.key}\n${answer.reason}`);
        if (answer?.kind === "verdict") {
          onVerdict(mutant, answer.verdict);
          continue;
        }
        child.kill("SIGKILL");
        child = undefined;
        onVerdict(mutant, { kind: "killed", by: "the tests did not end" });
      }
    } finally {
      child?.kill("SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, mutants.length) }, work));
}
