"use client";

import { formatMiB } from "@dekuper/protocol";
import { isOnline, type Presence } from "@/features/peers/presence.ts";
import { HexText } from "@/ui/address.tsx";
import { Badge } from "@/ui/badge.tsx";
import { formatNumber, type Token } from "@/ui/money.ts";
import styles from "./node-card.module.css";
import type { MapNode } from "./use-nodes.ts";

const ISOLATION: Record<string, string> = {
  container: "Container",
  "user-namespace": "User namespace",
  sandbox: "Sandbox",
  tee: "TEE",
};

/** One node: who, what it declares, what it asks, whether it lives. */
export function NodeCard(props: {
  node: MapNode;
  token: Token | undefined;
  presence: Presence | undefined;
  nowMs: number;
}) {
  const { node, token, presence, nowMs } = props;
  const money = (amount: bigint) => (token === undefined ? "…" : formatNumber(amount, token));
  return (
    <article className={styles.card} aria-label={`Node ${node.address}`}>
      <header className={styles.head}>
        <div className={styles.names}>
          <h3>{node.region === "" ? "No region" : node.region}</h3>
          <HexText value={node.address} label="node address" />
        </div>
        <NodeStatusBadge node={node} presence={presence} nowMs={nowMs} />
      </header>
      <div className={styles.gpus}>
        <p className={styles.count}>
          {node.gpus === 0 ? (
            "CPU only"
          ) : (
            <>
              {node.freeGpus} <span>of {node.gpus} GPUs free</span>
            </>
          )}
        </p>
        <p className={styles.model}>{node.gpus === 0 ? "Declares no GPUs" : node.gpuModel}</p>
        <Meter free={node.gpus === 0 ? node.freeVCpus : node.freeGpus} all={node.gpus || node.vCpus} />
      </div>
      <dl className={styles.facts}>
        <div>
          <dt>vCPUs</dt>
          <dd>
            {node.freeVCpus} <span>/ {node.vCpus}</span>
          </dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>
            {formatMiB(node.freeMemoryMiB)} <span>/ {formatMiB(node.memoryMiB)}</span>
          </dd>
        </div>
        <div>
          <dt>Isolation</dt>
          <dd>{ISOLATION[node.isolation] ?? node.isolation}</dd>
        </div>
        <div>
          <dt>Heartbeat</dt>
          <dd>{presence === undefined ? "None yet" : lastSeen(nowMs - presence.receivedAt)}</dd>
        </div>
      </dl>
      <footer className={styles.rates}>
        <span>Posted rates</span>
        <span>
          {node.gpus > 0 && (
            <>
              <strong>{money(node.perGpuHour)}</strong> a GPU hour ·{" "}
            </>
          )}
          <strong>{money(node.perVCpuHour)}</strong> a vCPU hour
        </span>
      </footer>
    </article>
  );
}

function NodeStatusBadge(props: { node: MapNode; presence: Presence | undefined; nowMs: number }) {
  if (props.node.status === "Draining") return <Badge tone="warning">Draining</Badge>;
  if (props.node.status !== "Active") return <Badge>{props.node.status}</Badge>;
  if (isOnline(props.presence, props.nowMs)) {
    return (
      <Badge tone="good" pulse>
        Online
      </Badge>
    );
  }
  return props.presence === undefined ? (
    <Badge tone="info">Registered</Badge>
  ) : (
    <Badge tone="bad">Offline</Badge>
  );
}

function Meter({ free, all }: { free: number; all: number }) {
  const used = all === 0 ? 0 : ((all - free) / all) * 100;
  return (
    <div className={styles.meter} aria-hidden="true">
      <span style={{ width: `${used}%` }} />
    </div>
  );
}

function lastSeen(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 2) return "Just now";
  return seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
}
