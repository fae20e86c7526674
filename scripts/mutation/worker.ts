/** A process that judges one mutant after another: the parent sends each and ends the process when one takes too long. */
import { readSources } from "./compiler.ts";
import type { Hints } from "./kills.ts";
import type { Durations } from "./market-tests.ts";
import type { Mutant } from "./operators.ts";
import { Trial, Unsound, type Verdict } from "./trial.ts";

export interface Question {
  readonly mutant: Mutant;
  readonly hints: Hints;
  readonly isQuick: boolean;
}

export type Answer =
  | { readonly kind: "ready"; readonly durations: Durations }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "unsound"; readonly reason: string }
  | { readonly kind: "broken"; readonly reason: string };

const answer = (message: Answer) => process.send?.(message);
const broken = (error: unknown) =>
  answer({
    kind: error instanceof Unsound ? "unsound" : "broken",
    reason: error instanceof Error ? (error.stack ?? error.message) : String(error),
  });

const trial = new Trial(readSources());
process.on("message", ({ mutant, hints, isQuick }: Question) => {
  trial.judge(mutant, hints, isQuick).then((verdict) => answer({ kind: "verdict", verdict }), broken);
});
// The parent is gone.
process.on("disconnect", () => process.exit(1));
const [proven] = process.argv.slice(2);
trial
  .begin(proven === undefined ? undefined : JSON.parse(proven))
  .then(() => answer({ kind: "ready", durations: trial.durations }), broken);
