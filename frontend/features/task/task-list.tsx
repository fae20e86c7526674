"use client";

import type { TaskSummary } from "@dekuper/client";
import { formatSeconds } from "@dekuper/protocol";
import Link from "next/link";
import { useConnection } from "wagmi";
import { Badge } from "../../ui/badge.tsx";
import button from "../../ui/button.module.css";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Empty, PageHeader, Skeleton } from "../../ui/page.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import { useEnding, useTasks, useToken } from "../market/market-queries.ts";
import { ConnectPrompt } from "../wallet/connect-prompt.tsx";
import { keptName } from "./spec-store.ts";
import { hasRun, rowWords } from "./states.ts";
import styles from "./task-list.module.css";

/** My tasks, newest first. */
export function TaskList() {
  const { address } = useConnection();
  return (
    <>
      <PageHeader title="My tasks" lead="Read from the chain by your address." action={<NewTask />} />
      {address === undefined ? (
        <ConnectPrompt title="Connect a wallet to see your tasks">
          Tasks belong to the address that paid for them.
        </ConnectPrompt>
      ) : (
        <Tasks address={address} />
      )}
    </>
  );
}

function NewTask() {
  return (
    <Link href="/submit" className={button.button} data-variant="primary" data-size="medium">
      New task
    </Link>
  );
}

function Tasks({ address }: { address: `0x${string}` }) {
  const { data, error, refetch } = useTasks(address);
  const token = useToken();
  if (error !== null && data === undefined) {
    return <ErrorNotice error={error} onRetry={() => void refetch()} />;
  }
  if (data === undefined || token === undefined) return <Skeleton height="8rem" />;
  if (data.length === 0) {
    return (
      <Empty title="No task yet" action={<NewTask />}>
        Your first one takes a minute: choose a template, deposit, and watch it run.
      </Empty>
    );
  }
  return (
    <ul className={styles.list}>
      {data.map((summary) => (
        <li key={summary.task.taskId}>
          <TaskRow summary={summary} token={token} />
        </li>
      ))}
    </ul>
  );
}

function TaskRow({ summary, token }: { summary: TaskSummary; token: Token }) {
  const { task, leases, state } = summary;
  const ran = leases.reduce((most, lease) => (lease.billedSeconds > most ? lease.billedSeconds : most), 0n);
  const reserved = leases.reduce((sum, lease) => sum + lease.reserved, 0n);
  const words = rowWords(summary, useEnding(task.taskId, state, hasRun(state)));
  return (
    <Link href={`/tasks/${task.taskId}`} className={styles.row}>
      <span className={styles.name}>
        <strong>{keptName(task.specDigest) ?? "Task"}</strong>
        <code>{shortHex(task.taskId)}</code>
      </span>
      <span className={styles.when}>{new Date(Number(task.createdAt) * 1000).toLocaleString()}</span>
      <span className={styles.money}>
        {hasRun(state) ? `Ran ${formatSeconds(Number(ran))}` : `At most ${formatMoney(reserved, token)}`}
      </span>
      <span className={styles.badge}>
        <Badge tone={words.tone} pulse={state === "Running"}>
          {words.title}
        </Badge>
      </span>
    </Link>
  );
}
