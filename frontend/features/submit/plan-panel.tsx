"use client";

import type { OrderPath, QuotedPlan, TaskPlan } from "@dekuper/client";
import { formatSeconds } from "@dekuper/protocol";
import type { ReactNode } from "react";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { type Fact, Facts } from "../../ui/facts.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Skeleton } from "../../ui/page.tsx";
import { useMarket } from "../market/market-provider.tsx";
import { toDeposit } from "../market/relay-choice.ts";
import { PostedNodes, QuotedNodes } from "./plan-nodes.tsx";
import styles from "./plan-panel.module.css";
import type { LivePlan } from "./use-plan.ts";
import type { LiveQuotes } from "./use-quotes.ts";

interface PlanPanelProps {
  readonly live: LivePlan;
  readonly quotes: LiveQuotes;
  readonly path: OrderPath;
  readonly isPublic: boolean;
  readonly onPath: (path: OrderPath) => void;
  readonly token: Token | undefined;
  readonly free: bigint | undefined;
}

/** What the order would cost and who would take it, while one types. */
export function PlanPanel(props: PlanPanelProps) {
  const { live, quotes, path, isPublic, onPath, token, free } = props;
  if (live.error !== undefined) return <ErrorNotice error={live.error} />;
  if (live.plan === undefined || token === undefined) {
    return <Waiting>The plan appears when the form is complete.</Waiting>;
  }
  const { plan } = live;
  // Without a node nobody can be asked: the plan's own problem says so.
  if (path === "open" || plan.nodes.length === 0) {
    return <PostedPlan plan={plan} token={token} free={free} onQuotes={() => onPath("quoted")} />;
  }
  if (quotes.error !== undefined) return <ErrorNotice error={quotes.error} onRetry={quotes.askAgain} />;
  if (quotes.quoted === undefined) return <Waiting>Asking {nodesOf(plan)} what they would take.</Waiting>;
  return (
    <QuotedView
      quoted={quotes.quoted}
      plan={plan}
      token={token}
      free={free}
      isPublic={isPublic}
      onOpen={() => onPath("open")}
    />
  );
}

function QuotedView(props: {
  quoted: QuotedPlan;
  plan: TaskPlan;
  token: Token;
  free: bigint | undefined;
  isPublic: boolean;
  onOpen: () => void;
}) {
  const { quoted, plan, token, free, isPublic } = props;
  const { offers, declined } = quoted.offers;
  const isCovered = quoted.placements.length > 0;
  const { relayFee } = useMarket();
  const money = (amount: bigint) => formatMoney(amount, token);
  return (
    <div className={styles.panel}>
      <Headline
        cost={quoted.atMost}
        none={offers.length === 0 ? "No node quotes" : "Too few nodes quote"}
        plan={plan}
        money={money}
      />
      {isCovered && <Facts facts={factsOf({ ...plan, ...quoted }, free, relayFee, money)} />}
      <QuotedNodes quoted={quoted} isGang={plan.leases > 1} money={money} />
      {isCovered && quoted.problem !== undefined && <ErrorNotice error={quoted.problem} />}
      {!isCovered && (
        <div className={styles.other}>
          {plan.problem === undefined && plan.leases === 1 ? (
            <>
              <p>
                You can offer the posted rate of {money(plan.ratePerHour ?? 0n)} an hour instead: any node
                that fits may accept it later
                {isPublic ? "" : ", so every node has to be able to read the task"}.
              </p>
              <Button size="small" onClick={props.onOpen}>
                {isPublic ? "Order at the posted rate" : "Make it public, at the posted rate"}
              </Button>
            </>
          ) : (
            <p>
              {declined.length + offers.length === 1 ? "It says" : "They say"} why above. Ask for less, pay
              more, or wait: they are asked again.
            </p>
          )}
        </div>
      )}
    </div>
  );
}

function PostedPlan(props: { plan: TaskPlan; token: Token; free: bigint | undefined; onQuotes: () => void }) {
  const { plan, token, free } = props;
  const { relayFee } = useMarket();
  const money = (amount: bigint) => formatMoney(amount, token);
  return (
    <div className={styles.panel}>
      <Headline cost={plan.atMost} none="No node fits" plan={plan} money={money} />
      <Facts facts={factsOf(plan, free, relayFee, money)} />
      {plan.nodes.length > 0 && <PostedNodes plan={plan} money={money} />}
      {plan.problem !== undefined && <ErrorNotice error={plan.problem} />}
      {plan.nodes.length > 0 && (
        <div className={styles.other}>
          <p>At the posted rate the task waits until a node accepts it.</p>
          <Button size="small" onClick={props.onQuotes}>
            Ask for quotes
          </Button>
        </div>
      )}
    </div>
  );
}

function Headline(props: {
  cost: bigint | undefined;
  none: string;
  plan: TaskPlan;
  money: (amount: bigint) => string;
}) {
  const { cost, plan } = props;
  const each = plan.leases > 1 ? `, ${plan.leases} nodes together` : "";
  return (
    <div className={styles.headline} role="status">
      <p className={styles.cost}>{cost === undefined ? props.none : props.money(cost)}</p>
      {cost !== undefined && (
        <p className={styles.costText}>
          at most, for {formatSeconds(plan.maxDuration)}
          {each}. Only seconds that run are paid.
        </p>
      )}
    </div>
  );
}

/** What it costs, what one has, and what is to be deposited. */
function factsOf(
  cost: Pick<TaskPlan, "ratePerHour" | "reserved" | "atMost" | "budget" | "leases" | "fundedSeconds">,
  free: bigint | undefined,
  relayFee: bigint,
  money: (amount: bigint) => string,
): Fact[] {
  const { ratePerHour, reserved, atMost, budget, leases } = cost;
  const facts: Fact[] = [];
  if (ratePerHour !== undefined)
    facts.push([leases > 1 ? "Rate an hour, all nodes" : "Rate an hour", money(ratePerHour)]);
  if (reserved !== undefined && reserved !== atMost)
    facts.push([`Reserved at first, for ${formatSeconds(cost.fundedSeconds)}`, money(reserved)]);
  if (budget !== undefined) facts.push(["Your budget", money(budget)]);
  if (relayFee > 0n) facts.push(["Your relay's fee, each transaction", money(relayFee)]);
  if (free !== undefined) facts.push(["Free in your account", money(free)]);
  const missing = free === undefined || reserved === undefined ? 0n : toDeposit(reserved, free, relayFee);
  if (missing > 0n) facts.push(["To be deposited", money(missing)]);
  return facts;
}

function Waiting({ children }: { children: ReactNode }) {
  return (
    <div className={styles.waiting} role="status">
      <Skeleton height="2rem" width="60%" />
      <p>{children}</p>
    </div>
  );
}

const nodesOf = ({ nodes }: TaskPlan) => (nodes.length === 1 ? "the node" : `${nodes.length} nodes`);
