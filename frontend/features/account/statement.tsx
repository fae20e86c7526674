"use client";

import type { UseQueryResult } from "@tanstack/react-query";
import Link from "next/link";
import { HexText, shortHex } from "../../ui/address.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Empty, Skeleton } from "../../ui/page.tsx";
import styles from "./account.module.css";
import type { Movement } from "./use-movements.ts";

const WORDS: Record<Movement["kind"], { text: string; sign: string }> = {
  Deposited: { text: "Deposited", sign: "+" },
  Withdrawn: { text: "Withdrawn", sign: "−" },
  Reserved: { text: "Reserved for", sign: "" },
  Paid: { text: "Paid for", sign: "−" },
  Released: { text: "Released from", sign: "" },
};

/** The account's movements, newest first. */
export function Statement(props: { query: UseQueryResult<Movement[]>; token: Token | undefined }) {
  const { data, error, refetch } = props.query;
  const token = props.token;
  if (error !== null) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined || token === undefined) return <Skeleton height="6rem" />;
  if (data.length === 0) {
    return <Empty title="No movement yet">Every deposit, reservation and payment will be listed here.</Empty>;
  }
  return (
    <ul className={styles.statement}>
      {data.map(({ kind, amount, taskId, block, hash, key }) => (
        <li key={key}>
          <span className={styles.what}>
            {WORDS[kind].text}
            {taskId !== undefined && (
              <Link href={`/tasks/${taskId}`} className={styles.task}>
                {shortHex(taskId)}
              </Link>
            )}
          </span>
          <span className={styles.amount} data-neutral={WORDS[kind].sign === ""}>
            {WORDS[kind].sign}
            {formatMoney(amount, token)}
          </span>
          <span className={styles.where}>
            <span>block {block.toLocaleString("en-US")}</span>
            <HexText value={hash} label="transaction hash" />
          </span>
        </li>
      ))}
    </ul>
  );
}
