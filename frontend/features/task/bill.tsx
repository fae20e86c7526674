"use client";

import type { TaskDetail } from "@dekuper/client";
import type { Token } from "../../ui/money.ts";
import styles from "./bill.module.css";
import { billOf } from "./bill-words.ts";

/** What the task costs, line by line, each with what it is made of. */
export function Bill(props: { detail: TaskDetail; token: Token; now: number | undefined }) {
  return (
    <dl className={styles.bill}>
      {billOf(props.detail, props.token, props.now).map((line) => (
        <div key={line.key} className={styles.line} data-expected={line.isExpected}>
          <dt>{line.label}</dt>
          <dd className={styles.amount}>{line.amount}</dd>
          {line.explanation !== undefined && <dd className={styles.explanation}>{line.explanation}</dd>}
        </div>
      ))}
    </dl>
  );
}
