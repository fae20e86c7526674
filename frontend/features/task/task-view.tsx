"use client";

import type { TaskDetail } from "@dekuper/client";
import { formatMiB, formatSeconds } from "@dekuper/protocol";
import { HexText } from "../../ui/address.tsx";
import { type Fact, Facts } from "../../ui/facts.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Card, PageHeader, Section } from "../../ui/page.tsx";
import { useChainTime } from "../market/market-queries.ts";
import { Logs } from "./logs.tsx";
import { Output } from "./output.tsx";
import { keptSpec } from "./spec-store.ts";
import { deadlineOf, endingOf, wordsOf } from "./states.ts";
import styles from "./task.module.css";
import { TaskActions } from "./task-actions.tsx";
import { Timeline } from "./timeline.tsx";

/** Everything about one task. */
export function TaskView({ detail, token }: { detail: TaskDetail; token: Token }) {
  const { task, lease } = detail;
  const now = useChainTime();
  const words = wordsOf(detail);
  const name = keptSpec(task.specDigest)?.name;
  return (
    <>
      <PageHeader title={name ?? "Task"} lead={<HexText value={task.taskId} label="task id" />} />
      <div className={styles.layout}>
        <div>
          <Card className={styles.state}>
            <div role="status" data-status={lease.status}>
              <h2 className={styles.stateTitle} data-tone={words.tone} data-live={lease.status === "Running"}>
                {words.title}
              </h2>
              <p>{words.text}</p>
            </div>
            <DeadlineLine detail={detail} now={now} />
            <TaskActions detail={detail} token={token} now={now} />
          </Card>
          <Section title="Output">
            <Output detail={detail} />
          </Section>
          <Section title="Logs">
            <Logs id={task.taskId} hasNode={lease.node !== undefined} />
          </Section>
        </div>
        <aside className={styles.side} aria-label="Timeline and details">
          <Card>
            <h2>Timeline</h2>
            <Timeline detail={detail} token={token} />
          </Card>
          <Card>
            <h2>Details</h2>
            <Facts facts={factsOf(detail, token)} />
          </Card>
        </aside>
      </div>
    </>
  );
}

function DeadlineLine({ detail, now }: { detail: TaskDetail; now: number | undefined }) {
  const deadline = deadlineOf(detail.task, detail.lease);
  if (deadline === undefined) return null;
  const left = now === undefined ? undefined : deadline.at - now;
  return (
    <p className={styles.deadline}>
      {deadline.label} <strong>{new Date(deadline.at * 1000).toLocaleTimeString()}</strong>
      {left !== undefined && (left > 0 ? `, in ${formatSeconds(left)}` : ", which has passed")}
    </p>
  );
}

function factsOf(detail: TaskDetail, token: Token): Fact[] {
  const { task, lease, money, attestation } = detail;
  const { gpus, vCpus, memoryMiB } = task.capacity;
  const facts: Fact[] = [
    ["Reserved", formatMoney(money.reserved, token)],
    ["Rate an hour", formatMoney(task.ratePerHour, token)],
  ];
  if (money.gross > 0n || lease.status === "Settled") {
    facts.push(["Paid", formatMoney(money.gross, token)], ["Returned", formatMoney(money.released, token)]);
  }
  facts.push(
    [
      "Resources",
      `${gpus > 0 ? `${count(gpus, "GPU")}, ` : ""}${count(vCpus, "vCPU")}, ${formatMiB(memoryMiB)}`,
    ],
    ["Longest run", formatSeconds(task.maxDuration)],
  );
  if (lease.node !== undefined)
    facts.push(["Node", <HexText key="node" value={lease.node} label="node address" />]);
  if (attestation !== undefined) {
    const { outcome, exitCode, cpuSeconds, outputDigest, imageDigest } = attestation.attestation;
    facts.push(
      ["Outcome", endingOf(outcome, exitCode)],
      ["CPU time", formatSeconds(Number(cpuSeconds))],
      ["Output digest", <HexText key="output" value={outputDigest} label="output digest" />],
      ["Image digest", <HexText key="image" value={imageDigest} label="image digest" />],
    );
  }
  facts.push(["Spec digest", <HexText key="spec" value={task.specDigest} label="spec digest" />]);
  return facts;
}

const count = (number: number, unit: string) => `${number} ${unit}${number === 1 ? "" : "s"}`;
