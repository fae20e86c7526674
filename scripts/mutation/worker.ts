/** A process that judges one mutant after another: the parent sends each and ends the process when one takes too long. */
import { readSources } from "./compiler.ts";
import type { Mutant } from "./operators.ts";
import { Trial, type Verdict } from "./trial.ts";

export type Answer =
  | { readonly kind: "ready" }
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  | { readonly kind: "broken"; readonly reason: string };

const answer = (message: Answer) => process.send?.(message);
const broken = (error: unknown) =>
  answer({ kind: "broken", reason: error instanceof Error ? (error.stack ?? error.message) : String(error) });

const trial = new Trial(readSources());
process.on("message", (mutant: Mutant) => {
  trial.judge(mutant).then((verdict) => answer({ kind: "verdict", verdict }), broken);
});
// The parent is gone.
process.on("disconnect", () => process.exit(1));
trial.begin().then(() => answer({ kind: "ready" }), broken);
