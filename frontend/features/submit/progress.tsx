"use client";

import styles from "./submit.module.css";
import { type Phase, type Progress, phases } from "./use-submit.ts";

const TITLES: Record<Phase, string> = {
  key: "Your keys",
  deposit: "Deposit",
  upload: "Spec and inputs to the nodes",
  order: "Order on chain",
};

/** The way from button to task, step by step. */
export function SubmitProgress({ progress, failed }: { progress: Progress; failed: boolean }) {
  const at = phases.indexOf(progress.phase);
  return (
    <ol className={styles.steps} aria-live="polite">
      {phases.map((phase, index) => {
        const state = index < at ? "done" : index > at ? "later" : failed ? "failed" : "now";
        return (
          <li key={phase} className={styles.step} data-state={state}>
            <span className={styles.mark} aria-hidden="true" />
            <span>
              {TITLES[phase]}
              {index === at && <small>{progress.detail}</small>}
            </span>
          </li>
        );
      })}
    </ol>
  );
}
