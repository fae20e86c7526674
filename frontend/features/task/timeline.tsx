"use client";

import { isLive, type TaskDetail } from "@dekuper/client";
import { HexText } from "../../ui/address.tsx";
import type { Token } from "../../ui/money.ts";
import { wordsOf } from "./states.ts";
import styles from "./timeline.module.css";
import { stepsOf } from "./timeline-words.ts";

/** What happened to the task on chain, oldest first, with what each transaction cost in gas. */
export function Timeline({ detail, token }: { detail: TaskDetail; token: Token }) {
  return (
    <ol className={styles.timeline}>
      {stepsOf(detail, token).map((step) => (
        <li key={step.hash} className={styles.step}>
          <div className={styles.head}>
            <h3>{step.title}</h3>
            <time dateTime={new Date(Number(step.time) * 1000).toISOString()}>
              {new Date(Number(step.time) * 1000).toLocaleTimeString()}
            </time>
          </div>
          {step.details.map((text) => (
            <p key={text}>{text}</p>
          ))}
          {step.earlier > 0 && (
            <p>{step.earlier === 1 ? "One claim before it" : `${step.earlier} claims before it`}</p>
          )}
          <p className={styles.chain}>
            <HexText value={step.hash} label="transaction hash" />
            <span>block {step.block.toLocaleString("en-US")}</span>
            <span>{step.gasUsed.toLocaleString("en-US")} gas</span>
          </p>
        </li>
      ))}
      {isLive(detail.state) && (
        <li className={styles.step} data-now="true">
          <div className={styles.head}>
            <h3>{wordsOf(detail).title}</h3>
            <span>Now</span>
          </div>
        </li>
      )}
    </ol>
  );
}
