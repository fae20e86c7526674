import type { ReactNode } from "react";
import styles from "./notice.module.css";

export type Tone = "neutral" | "info" | "good" | "warning" | "bad";

/** A paragraph that stands out. `alert` is read out at once. */
export function Notice(props: { tone?: Tone; alert?: boolean; children: ReactNode }) {
  return (
    <div
      className={styles.notice}
      data-tone={props.tone ?? "neutral"}
      {...(props.alert ? { role: "alert" } : {})}
    >
      {props.children}
    </div>
  );
}
