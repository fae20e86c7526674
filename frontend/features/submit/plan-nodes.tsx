"use client";

import { declineWords, type PlannedNode, type QuotedPlan, type TaskPlan, type Unfit } from "@dekuper/client";
import type { ReactNode } from "react";
import { Badge } from "../../ui/badge.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import styles from "./plan-panel.module.css";

type Money = (amount: bigint) => string;

/** Who quotes, who would have the task, and why each other node does not quote. */
export function QuotedNodes(props: { quoted: QuotedPlan; isGang: boolean; money: Money }) {
  const { quoted, isGang, money } = props;
  const { offers, declined } = quoted.offers;
  const placed = new Map(quoted.placements.map(({ node, members }) => [node, members]));
  return (
    <Nodes title={counted(offers.length, offers.length + declined.length, "quotes", "quote")}>
      {offers.map(({ node, ratePerHour, members: most }) => {
        const members = placed.get(node) ?? [];
        return (
          <Row
            key={node}
            node={node}
            tone={members.length > 0 ? "good" : "neutral"}
            says={members.length > 0 ? "Chosen" : "Quotes"}
          >
            <p>
              Asks {money(ratePerHour)} an hour{isGang ? ` each, for up to ${most} of them` : ""}
            </p>
            {isGang && members.length > 0 && <p>Would run {members.length} of them</p>}
          </Row>
        );
      })}
      {declined.map((decline) => (
        <Row key={decline.node} node={decline.node} tone="neutral" says="Does not quote">
          <p>{sentence(declineWords(decline, money))}</p>
        </Row>
      ))}
    </Nodes>
  );
}

/** Which nodes fit by what they post, and why the others do not. */
export function PostedNodes({ plan, money }: { plan: TaskPlan; money: Money }) {
  return (
    <Nodes title={counted(plan.fitting.length, plan.nodes.length, "fits", "fit")}>
      {plan.nodes.map((planned) => (
        <PostedRow key={planned.node} planned={planned} money={money} />
      ))}
    </Nodes>
  );
}

function PostedRow({ planned, money }: { planned: PlannedNode; money: Money }) {
  const { node, fits, asks, reasons } = planned;
  return (
    <Row node={node} tone={fits ? "good" : "neutral"} says={fits ? "Fits" : "Does not fit"}>
      {fits ? (
        <p>Asks {money(asks)} an hour</p>
      ) : (
        reasons.map((reason) => <p key={reason.reason}>{why(reason)}</p>)
      )}
    </Row>
  );
}

function Nodes({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.nodes}>
      <h3>{title}</h3>
      <ul>{children}</ul>
    </div>
  );
}

function Row(props: { node: string; tone: "good" | "neutral"; says: string; children: ReactNode }) {
  return (
    <li>
      <div className={styles.node}>
        <code>{shortHex(props.node)}</code>
        <Badge tone={props.tone}>{props.says}</Badge>
      </div>
      {props.children}
    </li>
  );
}

/** `2 of 3 nodes quote`. */
function counted(some: number, all: number, one: string, several: string): string {
  return `${some} of ${all} ${all === 1 ? `node ${one}` : `nodes ${several}`}`;
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

const WHAT: Record<Exclude<Unfit["reason"], "status" | "offline">, string> = {
  gpus: "GPUs",
  "gpu-model": "GPU model",
  cpu: "vCPUs",
  memory: "Memory",
  storage: "Storage",
  isolation: "Isolation",
  stake: "Stake",
  "ticket-age": "Age",
  rate: "Rate",
};

/** Why a node does not fit, as a sentence. */
function why({ reason, needs, has }: Unfit): string {
  if (reason === "offline") return "It is silent: nothing was heard of it.";
  if (reason === "status")
    return has === "Draining" ? "It finishes what it has and takes nothing new." : "It has left the market.";
  return `${WHAT[reason]}: ${needs} wanted, ${has}.`;
}
