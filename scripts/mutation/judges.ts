/** Processes that judge mutants side by side. */
import { type ChildProcess, fork } from "node:child_process";
import { root } from "./compiler.ts";
import type { Hints } from "./kills.ts";
import type { Durations } from "./market-tests.ts";
import type { Mutant } from "./operators.ts";
import type { Verdict } from "./trial.ts";
import type { Answer, Question } from "./worker.ts";

/** A fault that keeps the tests from ending is noticed as well. Far above what a busy machine needs. */
const TOO_LONG_MS = 1_800_000;

/** Starts a process, and waits until it has seen the tests pass on the contracts as they are; `proven`: another has, in that time. */
async function start(proven: Durations | undefined): Promise<{ child: ChildProcess; durations: Durations }> {
  const child = fork(new URL("worker.ts", import.meta.url), proven ? [JSON.stringify(proven)] : [], {
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
  return { child, durations: answer.durations };
}

type Heard = Answer | { readonly kind: "ended"; readonly signal: NodeJS.Signals | null };

/** The process's next message, or that it has ended; nothing where it does not answer in time. */
function next(child: ChildProcess, withinMs: number): Promise<Heard | undefined> {
  return new Promise((resolve) => {
    const done = (answer?: Heard) => {
      clearTimeout(timer);
      child.off("message", done).off("exit", onExit);
      resolve(answer);
    };
    const onExit = (_: number | null, signal: NodeJS.Signals | null) => done({ kind: "ended", signal });
    const timer = setTimeout(() => done(), withinMs);
    child.on("message", done).on("exit", onExit);
  });
}

export interface Judging {
  /** Processes. */
  readonly jobs: number;
  /** No mutant is begun after it, Unix milliseconds. */
  readonly end: number;
  readonly isQuick: boolean;
}

/** Judges the mutants in their order, and tells each verdict as it comes. */
export async function judgeAll(
  mutants: readonly Mutant[],
  { jobs, end, isQuick }: Judging,
  hintsFor: (mutant: Mutant) => Hints,
  onVerdict: (mutant: Mutant, verdict: Verdict) => void,
): Promise<void> {
  const queue = [...mutants];
  let proven: Durations | undefined;
  const work = async () => {
    let child: ChildProcess | undefined;
    try {
      for (let mutant = queue.shift(); mutant !== undefined && Date.now() < end; mutant = queue.shift()) {
        let answer: Heard | undefined;
        // A fault can bring the simulated chain down, with a deadline beyond its clock: it does so twice. And what it leaves in
        // its process may fail the tests of the next, in that process only.
        for (let tries = 0; tries < 2; tries++) {
          if (child === undefined) {
            const started = await start(proven);
            ({ child } = started);
            proven = started.durations;
          }
          child.send({ mutant, hints: hintsFor(mutant), isQuick } satisfies Question);
          answer = await next(child, TOO_LONG_MS);
          if (answer?.kind !== "ended" && answer?.kind !== "unsound") break;
          child.kill("SIGKILL");
          child = undefined;
          if (answer.kind === "unsound") {
            console.log(`judged again by a new process: ${mutant.key}\n  ${answer.reason.split("\n")[0]}`);
            continue;
          }
          // Short of memory, the machine ends what uses most of it: that says nothing of the fault.
          if (answer.signal === "SIGKILL")
            throw new Error(`${mutant.key}\nThe process that ran the tests was killed.`);
        }
        if (answer?.kind === "broken" || answer?.kind === "unsound")
          throw new Error(`${mutant.key}\n${answer.reason}`);
        if (answer?.kind === "verdict") {
          onVerdict(mutant, answer.verdict);
          continue;
        }
        child?.kill("SIGKILL");
        child = undefined;
        const by = answer === undefined ? "the tests did not end" : "the tests' chain broke down";
        onVerdict(mutant, { kind: "killed", by });
      }
    } finally {
      child?.kill("SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, mutants.length) }, work));
}
