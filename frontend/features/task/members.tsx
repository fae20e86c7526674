"use client";

import type { LeaseDetail, TaskDetail } from "@dekuper/client";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import { partNoun, partTitle } from "./part-words.ts";
import { leaseWords } from "./states.ts";
import styles from "./task.module.css";

/** The leases of a task that runs on several nodes: one line each, and whose log and output are shown. */
export function Members(props: { detail: TaskDetail; chosen: number; onChoose: (member: number) => void }) {
  const { task, leases } = props.detail;
  const noun = partNoun(props.detail);
  return (
    <ul className={styles.members}>
      {leases.map((lease) => {
        const words = leaseWords(lease);
        return (
          <li key={lease.leaseId} className={styles.member} data-chosen={lease.index === props.chosen}>
            <strong>
              {partTitle(props.detail)} {lease.index}
            </strong>
            <code>{lease.node === undefined ? "no node" : shortHex(lease.node)}</code>
            <span className={styles.muted}>
              {task.maxAttempts > 1 && `Attempt ${lease.attempt} of ${task.maxAttempts}`}
              {lostBy(lease)}
            </span>
            <Badge tone={words.tone} pulse={lease.state === "Running"}>
              {words.title}
            </Badge>
            <Button
              size="small"
              variant="ghost"
              aria-pressed={lease.index === props.chosen}
              onClick={() => props.onChoose(lease.index)}
            >
              Log and output
              <span className="visually-hidden">
                {" "}
                of {noun} {lease.index}
              </span>
            </Button>
          </li>
        );
      })}
    </ul>
  );
}

/** `, lost by 0x1234…abcd`. */
function lostBy({ attempts }: LeaseDetail): string {
  const lost = attempts.filter(({ lostAt }) => lostAt !== undefined).map(({ node }) => shortHex(node));
  return lost.length === 0 ? "" : `, lost by ${lost.join(", ")}`;
}
