/** Which tests noticed faults, and where: they are tried first on the next fault there. */
import type { Mutant } from "./operators.ts";
import type { Verdict } from "./trial.ts";

/** How often each test was the first to notice a fault, by its full title: in the fault's function, then in its file. */
export type Hints = readonly Readonly<Record<string, number>>[];

export class Kills {
  readonly #at = new Map<string, Record<string, number>>();

  add(mutant: Mutant, verdict: Verdict): void {
    if (verdict.kind !== "killed" || verdict.by === "") return;
    for (const place of placesOf(mutant)) {
      const kills = this.#at.get(place) ?? {};
      kills[verdict.by] = (kills[verdict.by] ?? 0) + 1;
      this.#at.set(place, kills);
    }
  }

  hintsFor(mutant: Mutant): Hints {
    return placesOf(mutant).map((place) => this.#at.get(place) ?? {});
  }
}

const placesOf = ({ file, scope }: Mutant) => [`${file}:${scope}`, file];
