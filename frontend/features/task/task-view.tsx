"use client";

import type { LeaseDetail, TaskDetail } from "@dekuper/client";
import { formatMiB, formatSeconds } from "@dekuper/protocol";
import { useState } from "react";
import type { Hex } from "viem";
import { HexText } from "../../ui/address.tsx";
import { type Fact, Facts } from "../../ui/facts.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Card, PageHeader, Section } from "../../ui/page.tsx";
import { useChainTime } from "../market/market-queries.ts";
import { Bill } from "./bill.tsx";
import { KeyCard } from "./key-card.tsx";
import { Logs } from "./logs.tsx";
import { Members } from "./members.tsx";
import { Output } from "./output.tsx";
import { partNoun, partTitle } from "./part-words.ts";
import { keptName } from "./spec-store.ts";
import { endingOf, nextDeadline, wordsOf } from "./states.ts";
import styles from "./task.module.css";
import { TaskActions } from "./task-actions.tsx";
import { Timeline } from "./timeline.tsx";

/** Everything about one task. */
export function TaskView({ detail, token }: { detail: TaskDetail; token: Token }) {
  const { task, leases } = detail;
  const now = useChainTime();
  const [member, setMember] = useState(detail.lease.index);
  const [opened, setOpened] = useState<ReadonlySet<Hex>>(new Set());
  const lease = leases[member] ?? detail.lease;
  const isGang = leases.length > 1;
  const ofPart = isGang ? ` of ${partNoun(detail)} ${member}` : "";
  const words = wordsOf(detail);
  const name = keptName(task.specDigest);
  return (
    <>
      <PageHeader title={name ?? "Task"} lead={<HexText value={task.taskId} label="task id" />} />
      <div className={styles.layout}>
        <div>
          <Card className={styles.state}>
            <div role="status" data-status={detail.state}>
              <h2 className={styles.stateTitle} data-tone={words.tone} data-live={detail.state === "Running"}>
                {words.title}
              </h2>
              <p>{words.text}</p>
            </div>
            <DeadlineLine detail={detail} now={now} />
            <TaskActions detail={detail} token={token} now={now} opened={opened} />
          </Card>
          {isGang && (
            <Section title={`${partTitle(detail)}s`}>
              <Members detail={detail} chosen={member} onChoose={setMember} />
            </Section>
          )}
          <Section title={`Output${ofPart}`}>
            <Output
              key={lease.leaseId}
              detail={detail}
              lease={lease}
              onOpened={() => setOpened(new Set([...opened, lease.leaseId]))}
            />
          </Section>
          <Section title={`Logs${ofPart}`}>
            <Logs
              key={lease.leaseId}
              id={lease.leaseId}
              hasNode={lease.node !== undefined}
              isReplica={detail.ballot !== undefined}
            />
          </Section>
        </div>
        <aside className={styles.side} aria-label="Bill, timeline, readers and details">
          <Card>
            <h2>Bill</h2>
            <Bill detail={detail} token={token} now={now} />
          </Card>
          <Card>
            <h2>Timeline</h2>
            <Timeline detail={detail} token={token} />
          </Card>
          <Card>
            <h2>Who can read it</h2>
            <KeyCard detail={detail} />
          </Card>
          <Card>
            <h2>Details</h2>
            <Facts facts={factsOf(detail, lease, token)} />
          </Card>
        </aside>
      </div>
    </>
  );
}

function DeadlineLine({ detail, now }: { detail: TaskDetail; now: number | undefined }) {
  const deadline = nextDeadline(detail.leases);
  if (deadline === undefined) return null;
  const left = now === undefined ? undefined : deadline.at - now;
  return (
    <p className={styles.deadline}>
      {deadline.label} <strong>{new Date(deadline.at * 1000).toLocaleTimeString()}</strong>
      {left !== undefined && (left > 0 ? `, in ${formatSeconds(left)}` : ", which has passed")}
    </p>
  );
}

function factsOf(detail: TaskDetail, lease: LeaseDetail, token: Token): Fact[] {
  const { task, leases } = detail;
  const { gpus, vCpus, memoryMiB } = task.capacity;
  const isGang = leases.length > 1;
  const rate = leases.reduce((sum, { ratePerHour }) => sum + ratePerHour, 0n);
  const facts: Fact[] = [[isGang ? "Rate an hour, all nodes" : "Rate an hour", formatMoney(rate, token)]];
  facts.push(
    [
      "Resources",
      `${isGang ? `${leases.length} nodes, each ` : ""}${gpus > 0 ? `${count(gpus, "GPU")}, ` : ""}${count(vCpus, "vCPU")}, ${formatMiB(memoryMiB)}`,
    ],
    ["Longest run", formatSeconds(task.maxDuration)],
  );
  if (detail.ballot !== undefined)
    facts.push(["Results that must be alike", `${task.threshold} of ${task.leaseCount}`]);
  if (task.fundedSeconds < task.maxDuration) facts.push(["Funded for", formatSeconds(task.fundedSeconds)]);
  if (lease.node !== undefined)
    facts.push([
      isGang ? `Node of ${partNoun(detail)} ${lease.index}` : "Node",
      <HexText key="node" value={lease.node} label="node address" />,
    ]);
  if (lease.attempt > 1) facts.push(["Attempt", `${lease.attempt} of ${task.maxAttempts}`]);
  if (lease.attestation !== undefined) {
    const { outcome, exitCode, cpuSeconds, outputDigest, imageDigest } = lease.attestation.attestation;
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
