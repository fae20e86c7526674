"use client";

import type { PlannedNode, TaskPlan, Unfit } from "@dekuper/client";
import { formatSeconds } from "@dekuper/protocol";
import { shortHex } from "../../ui/address.tsx";
import { Badge } from "../../ui/badge.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Facts } from "../../ui/facts.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Skeleton } from "../../ui/page.tsx";
import styles from "./plan-panel.module.css";
import type { LivePlan } from "./use-plan.ts";

/** What the order would cost and who would take it, while one types. */
export function PlanPanel(props: { live: LivePlan; token: Token | undefined; free: bigint | undefined }) {
  const { plan, error } = props.live;
  const { token, free } = props;
  if (error !== undefined) return <ErrorNotice error={error} />;
  if (plan === undefined || token === undefined) {
    return (
      <div className={styles.waiting}>
        <Skeleton height="2rem" width="60%" />
        <p>The plan appears when the form is complete.</p>
      </div>
    );
  }
  const money = (amount: bigint) => formatMoney(amount, token);
  const short = plan.atMost !== undefined && free !== undefined && free < plan.atMost;
  return (
    <div className={styles.panel}>
      <div className={styles.headline} role="status">
        <p className={styles.cost}>{plan.atMost === undefined ? "No node fits" : money(plan.atMost)}</p>
        {plan.atMost !== undefined && (
          <p className={styles.costText}>
            at most, for {formatSeconds(plan.maxDuration)}. Only seconds that run are paid.
          </p>
        )}
      </div>
      <Facts
        facts={[
          ...(plan.ratePerHour === undefined ? [] : ([["Rate an hour", money(plan.ratePerHour)]] as const)),
          ...(plan.budget === undefined ? [] : ([["Your budget", money(plan.budget)]] as const)),
          ...(free === undefined ? [] : ([["Free in your account", money(free)]] as const)),
          ...(short ? ([["To be deposited", money((plan.atMost ?? 0n) - free)]] as const) : []),
        ]}
      />
      {plan.nodes.length > 0 && (
        <div className={styles.nodes}>
          <h3>{fitting(plan)}</h3>
          <ul>
            {plan.nodes.map((node) => (
              <PlannedNodeRow key={node.node} node={node} money={money} />
            ))}
          </ul>
        </div>
      )}
      {plan.problem !== undefined && <ErrorNotice error={plan.problem} />}
    </div>
  );
}

function PlannedNodeRow({ node, money }: { node: PlannedNode; money: (amount: bigint) => string }) {
  return (
    <li>
      <div className={styles.node}>
        <code>{shortHex(node.node)}</code>
        <Badge tone={node.fits ? "good" : "neutral"}>{node.fits ? "Fits" : "Does not fit"}</Badge>
      </div>
      {node.fits ? (
        <p>Asks {money(node.asks)} an hour</p>
      ) : (
        node.reasons.map((reason) => <p key={reason.reason}>{why(reason)}</p>)
      )}
    </li>
  );
}

function fitting(plan: TaskPlan): string {
  const all = plan.nodes.length;
  return `${plan.fitting.length} of ${all} ${all === 1 ? "node fits" : "nodes fit"}`;
}

const WHAT: Record<Unfit["reason"], string> = {
  status: "Status",
  offline: "Liveness",
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

function why({ reason, needs, has }: Unfit): string {
  return `${WHAT[reason]}: needs ${needs}, has ${has}`;
}
