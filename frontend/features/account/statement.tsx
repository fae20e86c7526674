"use client";

import {
  type CheckedStatement,
  purses,
  type Statement,
  type StatementLine,
  statementCsv,
  totalOf,
  wordsOf,
} from "@dekuper/client";
import type { UseQueryResult } from "@tanstack/react-query";
import Link from "next/link";
import { stringToBytes } from "viem";
import { HexText } from "../../ui/address.tsx";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Notice } from "../../ui/notice.tsx";
import { Empty, Skeleton } from "../../ui/page.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import { saveAs } from "../task/file-content.ts";
import styles from "./account.module.css";

/** The account's movements, newest first, each with what explains it, and whether they add up to what the chain says. */
export function StatementLines(props: { query: UseQueryResult<CheckedStatement>; token: Token | undefined }) {
  const { data, error, refetch } = props.query;
  const token = props.token;
  if (error !== null) return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  if (data === undefined || token === undefined) return <Skeleton height="6rem" />;
  if (data.lines.length === 0) {
    return <Empty title="No movement yet">Every deposit, reservation and payment will be listed here.</Empty>;
  }
  return (
    <>
      <Checked statement={data} token={token} />
      <ul className={styles.statement}>
        {data.lines.toReversed().map((line) => (
          <Line
            key={`${line.movement.hash}:${line.movement.logIndex}`}
            line={line}
            statement={data}
            token={token}
          />
        ))}
      </ul>
    </>
  );
}

/** The same lines as a file for a spreadsheet. */
export function DownloadCsv({ statement, token }: { statement: Statement; token: Token }) {
  const name = `dekuper-statement-${statement.account.slice(0, 10)}.csv`;
  return (
    <Button
      variant="ghost"
      size="small"
      onClick={() => saveAs(name, stringToBytes(statementCsv(statement, token)))}
    >
      Download as CSV
    </Button>
  );
}

function Checked({ statement: { check, faulty }, token }: { statement: CheckedStatement; token: Token }) {
  if (check.agrees && faulty.length === 0) {
    return (
      <p className={styles.checked}>
        These lines add up to what the contract holds for you at block {check.block.toLocaleString("en-US")}.
        Times are UTC.
      </p>
    );
  }
  return (
    <Notice tone="bad" alert>
      <p>These lines do not add up. The contract&apos;s own figures are above.</p>
      <ul>
        {check.differences.map(({ purse, node, lines, chain }) => (
          <li key={node ?? purse}>
            {node === undefined ? purse : `stake of ${node}`}: the lines make {formatMoney(lines, token)}, the
            contract has {formatMoney(chain, token)}
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function Line(props: { line: StatementLine; statement: Statement; token: Token }) {
  const { line, statement, token } = props;
  const { movement, change, balance } = line;
  const { title, subject, explanation, faults } = wordsOf(line, statement, (value) =>
    formatMoney(value, token),
  );
  const total = totalOf(change);
  return (
    <li>
      <span>
        {title}
        {subject !== undefined && (
          <Link href={subject.kind === "task" ? `/tasks/${subject.id}` : "/"} className={styles.task}>
            {shortHex(subject.id)}
          </Link>
        )}
      </span>
      <span className={styles.amount} data-neutral={total === 0n}>
        {total > 0n ? "+" : total < 0n ? "−" : ""}
        {formatMoney(total === 0n ? movedWithin(line) : absolute(total), token)}
      </span>
      <span className={styles.where}>
        <time dateTime={isoTime(movement.time)}>{isoTime(movement.time).slice(0, 16).replace("T", " ")}</time>
        <HexText value={movement.hash} label="transaction hash" />
      </span>
      <span className={styles.explanation}>
        {explanation.length > 0 && <span>{explanation.join("; ")}</span>}
        {faults.map((fault) => (
          <span key={fault} className={styles.fault}>
            Wrong: {fault}
          </span>
        ))}
      </span>
      <span className={styles.after}>{formatMoney(totalOf(balance), token)} in escrow after it</span>
    </li>
  );
}

/** What went from one purse into another where the sum stays: the larger of both sides. */
function movedWithin({ movement, change }: StatementLine): bigint {
  if (movement.kind === "StakeMigrated") return movement.amount;
  return purses.reduce(
    (most, purse) => (absolute(change[purse]) > most ? absolute(change[purse]) : most),
    0n,
  );
}

function absolute(amount: bigint): bigint {
  return amount < 0n ? -amount : amount;
}

function isoTime(seconds: bigint): string {
  return new Date(Number(seconds) * 1000).toISOString();
}
