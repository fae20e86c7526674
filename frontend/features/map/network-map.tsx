"use client";

import type { MarketNode } from "@dekuper/client";
import Link from "next/link";
import { Fragment } from "react";
import button from "../../ui/button.module.css";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { type Fact, Figures } from "../../ui/facts.tsx";
import { InlineCode } from "../../ui/inline-code.tsx";
import { formatNumber, type Token } from "../../ui/money.ts";
import { Card, Empty, Section, Skeleton } from "../../ui/page.tsx";
import { useNow } from "../../ui/use-now.ts";
import { useNodes, useToken } from "../market/market-queries.ts";
import { useNetwork } from "../network/network-provider.tsx";
import { usePeers } from "../peers/peer-provider.tsx";
import { isOnline } from "../peers/presence.ts";
import styles from "./network-map.module.css";
import { NodeCard } from "./node-card.tsx";
import { Topology } from "./topology.tsx";

/** The overview: who offers what, at which rate, and who is alive. */
export function NetworkMap() {
  const network = useNetwork();
  const token = useToken();
  const peers = usePeers();
  const nowMs = useNow();
  const { data: all, error, refetch } = useNodes();
  const nodes = all?.filter((node) => node.status !== "Retired");
  const online = nodes?.filter((node) => isOnline(peers.presence.get(node.address), nowMs)).length;
  return (
    <>
      <div className={styles.hero}>
        <div className={styles.intro}>
          <h1>An open market of GPU clusters</h1>
          <p className={styles.lead}>
            Order a training run, pay for the seconds that it runs, and get the output encrypted to your key.
            The nodes below are read from the chain; their heartbeats reach this browser directly.
          </p>
          <Link href="/submit" className={button.button} data-variant="primary" data-size="large">
            New task
          </Link>
        </div>
        <Topology nodes={nodes?.map((node) => node.address) ?? []} peers={peers} nowMs={nowMs} />
      </div>
      <Card className={styles.figures}>
        <Figures
          facts={[
            ["Nodes online", <Of key="online" part={online} all={nodes?.length} />],
            [
              "GPUs free",
              <Of key="gpus" part={sum(nodes, "gpus", "available")} all={sum(nodes, "gpus", "profile")} />,
            ],
            [
              "vCPUs free",
              <Of key="cpus" part={sum(nodes, "vCpus", "available")} all={sum(nodes, "vCpus", "profile")} />,
            ],
            lowestRate(nodes, token),
          ]}
        />
      </Card>
      <Section
        title="Nodes"
        aside={<p className={styles.aside}>Capacity and rates are what each node declares.</p>}
      >
        {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
        {nodes === undefined && error === null && <Skeleton height="14rem" />}
        {nodes?.length === 0 && (
          <Empty title="No node has registered yet">
            {network.local ? (
              "The local network registers its nodes while it starts. This page follows by itself."
            ) : (
              <InlineCode text="Providers register with `dekuper node init`. This page follows by itself." />
            )}
          </Empty>
        )}
        <div className={styles.grid}>
          {nodes?.map((node) => (
            <NodeCard
              key={node.address}
              node={node}
              token={token}
              presence={peers.presence.get(node.address)}
              nowMs={nowMs}
              listened={peers.state === "ready"}
            />
          ))}
        </div>
      </Section>
    </>
  );
}

function Of({ part, all }: { part: number | undefined; all: number | undefined }) {
  if (part === undefined || all === undefined) return <Skeleton width="3rem" />;
  return (
    <>
      {part} <small>of {all}</small>
    </>
  );
}

/** By the GPU hour where any node has GPUs. */
function lowestRate(nodes: readonly MarketNode[] | undefined, token: Token | undefined): Fact {
  const active = nodes?.filter((node) => node.status === "Active") ?? [];
  const withGpus = active.filter((node) => node.profile.gpus > 0);
  const label = withGpus.length > 0 ? "GPU hour from" : "vCPU hour from";
  if (nodes === undefined || token === undefined) return [label, <Skeleton key="rate" width="4rem" />];
  const rates =
    withGpus.length > 0
      ? withGpus.map((node) => node.profile.posted.perGpuHour)
      : active.map((node) => node.profile.posted.perVCpuHour);
  const lowest = rates.reduce<bigint | undefined>(
    (least, rate) => (least === undefined || rate < least ? rate : least),
    undefined,
  );
  if (lowest === undefined) return [label, "None"];
  return [
    label,
    <Fragment key="rate">
      {formatNumber(lowest, token)} <small>{token.symbol}</small>
    </Fragment>,
  ];
}

function sum(nodes: readonly MarketNode[] | undefined, field: "gpus" | "vCpus", of: "profile" | "available") {
  return nodes?.reduce((total, node) => total + node[of][field], 0);
}
