"use client";

import type { MarketNode } from "@dekuper/client";
import { formatMiB, type Presence } from "@dekuper/protocol";
import { HexText } from "../../ui/address.tsx";
import { Badge } from "../../ui/badge.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { isDialable } from "../peers/dialable.ts";
import { isOnline } from "../peers/presence.ts";
import styles from "./node-card.module.css";

const ISOLATION: Record<string, string> = {
  container: "Container",
  "user-namespace": "User namespace",
  sandbox: "Sandbox",
  tee: "TEE",
};

/** One node: who, what it declares, what it asks, whether it lives. */
export function NodeCard(props: {
  node: MarketNode;
  token: Token | undefined;
  presence: Presence | undefined;
  nowMs: number;
  /** Whether this browser has listened long enough to call a silent node offline. */
  listened: boolean;
}) {
  const { node, token, presence, nowMs } = props;
  const { profile, available } = node;
  const main =
    profile.gpus > 0
      ? { free: available.gpus, all: profile.gpus, unit: "GPUs" }
      : { free: available.vCpus, all: profile.vCpus, unit: "vCPUs" };
  const isSecurePage = location.protocol === "https:";
  const money = (amount: bigint) => (token === undefined ? "…" : formatMoney(amount, token));
  return (
    <article className={styles.card} aria-label={`Node ${node.address}`}>
      <header className={styles.head}>
        <div className={styles.names}>
          <h3>{profile.region === "" ? "No region" : profile.region}</h3>
          <HexText value={node.address} label="node address" />
        </div>
        <NodeStatusBadge node={node} presence={presence} nowMs={nowMs} listened={props.listened} />
      </header>
      <div className={styles.gpus}>
        <p className={styles.count}>
          {main.free}{" "}
          <span>
            of {main.all} {main.unit} free
          </span>
        </p>
        <p className={styles.model}>{profile.gpus === 0 ? "No GPUs" : profile.gpuModel}</p>
        <Meter
          free={profile.gpus === 0 ? available.vCpus : available.gpus}
          all={profile.gpus || profile.vCpus}
        />
      </div>
      <dl className={styles.facts}>
        <div>
          <dt>{profile.gpus > 0 ? "vCPUs" : "Storage"}</dt>
          <dd>
            {profile.gpus > 0 ? (
              <>
                {available.vCpus} <span>/ {profile.vCpus}</span>
              </>
            ) : (
              formatMiB(profile.storageMiB)
            )}
          </dd>
        </div>
        <div>
          <dt>Memory</dt>
          <dd>
            {formatMiB(available.memoryMiB)} <span>/ {formatMiB(profile.memoryMiB)}</span>
          </dd>
        </div>
        <div>
          <dt>Isolation</dt>
          <dd>{ISOLATION[profile.isolation] ?? profile.isolation}</dd>
        </div>
        <div>
          <dt>Last heard</dt>
          <dd>
            {presence === undefined
              ? props.listened
                ? "None heard"
                : "None yet"
              : lastSeen(nowMs - presence.receivedAt)}
          </dd>
        </div>
      </dl>
      {!isDialable(profile.multiaddrs, isSecurePage) && (
        <p className={styles.unreachable}>
          {isSecurePage
            ? "No wss:// address: this page is served over https and cannot reach the node."
            : "No WebSocket address: a browser cannot reach the node."}
        </p>
      )}
      <dl className={`${styles.facts} ${styles.rates}`}>
        {profile.gpus > 0 && (
          <div>
            <dt>GPU hour</dt>
            <dd>{money(profile.posted.perGpuHour)}</dd>
          </div>
        )}
        <div>
          <dt>vCPU hour</dt>
          <dd>{money(profile.posted.perVCpuHour)}</dd>
        </div>
      </dl>
    </article>
  );
}

function NodeStatusBadge(props: {
  node: MarketNode;
  presence: Presence | undefined;
  nowMs: number;
  listened: boolean;
}) {
  if (props.node.status === "Draining") return <Badge tone="warning">Draining</Badge>;
  if (props.node.status !== "Active") return <Badge>{props.node.status}</Badge>;
  if (isOnline(props.presence, props.nowMs)) {
    return (
      <Badge tone="good" pulse>
        Online
      </Badge>
    );
  }
  const heardBefore = props.presence !== undefined;
  return heardBefore || props.listened ? (
    <Badge tone="bad">Offline</Badge>
  ) : (
    <Badge tone="info">Registered</Badge>
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
