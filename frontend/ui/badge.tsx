import type { ReactNode } from "react";
import styles from "./badge.module.css";
import type { Tone } from "./notice.tsx";

/** A state in one or two words. The words carry the meaning; the colour only helps. */
export function Badge(props: { tone?: Tone; pulse?: boolean; children: ReactNode }) {
  return (
    <span className={styles.badge} data-tone={props.tone ?? "neutral"}>
      <span className={styles.dot} data-pulse={props.pulse ?? false} aria-hidden="true" />
      {props.children}
    </span>
  );
}
