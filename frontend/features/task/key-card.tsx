"use client";

import {
  handOverHindrance,
  handOverKey,
  keyGrantsIn,
  keyHolders,
  signerOf,
  type TaskDetail,
} from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { useState } from "react";
import type { Address } from "viem";
import { useConnection } from "wagmi";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { SelectField } from "../../ui/field.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useNodes } from "../market/market-queries.ts";
import { useAction } from "../market/use-action.ts";
import { outputKeyFor } from "../wallet/output-key.ts";
import styles from "./task.module.css";

/** Who can read script, environment and inputs; its consumer can hand the key of a private task to further nodes. */
export function KeyCard({ detail }: { detail: TaskDetail }) {
  const { address } = useConnection();
  const { data: nodes } = useNodes();
  const { task, timeline } = detail;
  if (!task.isPrivate) return <p className={styles.muted}>Every registered node: the task is public.</p>;
  const holders = keyHolders(keyGrantsIn(timeline), nodes ?? []);
  const others = (nodes ?? []).filter(
    ({ address: node, status }) =>
      status === "Active" && !holders.some((holder) => holder.node === node && holder.isCurrent),
  );
  const canHandOver = address === task.consumer && handOverHindrance(detail) === undefined;
  return (
    <>
      <p className={styles.muted}>Only nodes that were handed its key, and whoever paid for it.</p>
      <ul className={styles.holders}>
        {holders.map(({ node, isCurrent }) => (
          <li key={node}>
            <code>{shortHex(node)}</code>
            <Badge tone={isCurrent ? "good" : "neutral"}>
              {isCurrent ? "Has the key" : "By an older key"}
            </Badge>
          </li>
        ))}
      </ul>
      {canHandOver && others.length > 0 && (
        <HandOver detail={detail} nodes={others.map(({ address: node }) => node)} />
      )}
    </>
  );
}

function HandOver({ detail, nodes }: { detail: TaskDetail; nodes: readonly Address[] }) {
  const market = useMarket();
  const [chosen, setChosen] = useState<string>("");
  const node = nodes.find((each) => each === chosen) ?? nodes[0];
  const action = useAction(async (to: Address) => {
    if (market.wallet === undefined) throw new DekuperError("NOT_ALLOWED", "Connect the wallet that paid.");
    const key = await outputKeyFor(signerOf(market.wallet), market.network.deployment);
    return handOverKey({ market, key, id: detail.task.taskId, nodes: [to] });
  });
  return (
    <div className={styles.handOver}>
      <SelectField
        label="Another node"
        value={node}
        hint="So that it can go on with the task where a node is lost. It reads all of it; a key cannot be taken back."
        onChange={(event) => setChosen(event.target.value)}
      >
        {nodes.map((each) => (
          <option key={each} value={each}>
            {shortHex(each)}
          </option>
        ))}
      </SelectField>
      <Button size="small" busy={action.isPending} onClick={() => node !== undefined && action.mutate(node)}>
        Hand the key over
      </Button>
      {action.error !== null && <ErrorNotice error={action.error} />}
    </div>
  );
}
