"use client";

import type { TaskDetail } from "@dekuper/client";
import { formatSeconds, gross } from "@dekuper/protocol";
import { useConnection } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import { deadlineOf } from "./states.ts";
import styles from "./task.module.css";

interface Action {
  readonly label: string;
  readonly cost: string;
  readonly variant: "primary" | "danger" | "secondary";
  run(): Promise<unknown>;
}

/** What can be done now, and what each costs. */
export function TaskActions(props: { detail: TaskDetail; token: Token; now: number | undefined }) {
  const market = useMarket();
  const { address } = useConnection();
  const isMine = address === props.detail.task.consumer;
  const actions = actionsOf({ ...props, market, isMine });
  const action = useAction((chosen: Action) => chosen.run());
  if (market.wallet === undefined || actions.length === 0) return null;
  return (
    <div className={styles.actions}>
      {actions.map((each) => (
        <div key={each.label} className={styles.action}>
          <Button
            variant={each.variant}
            busy={action.isPending && action.variables?.label === each.label}
            disabled={action.isPending}
            onClick={() => action.mutate(each)}
          >
            {each.label}
          </Button>
          <p>{each.cost}</p>
        </div>
      ))}
      {action.error !== null && <ErrorNotice error={action.error} />}
    </div>
  );
}

function actionsOf(from: {
  detail: TaskDetail;
  token: Token;
  now: number | undefined;
  market: ReturnType<typeof useMarket>;
  isMine: boolean;
}): Action[] {
  const { market, token, now, isMine } = from;
  const { task, lease } = from.detail;
  const money = (amount: bigint) => formatMoney(amount, token);
  const actions: Action[] = [];
  if (isMine && lease.status === "Completed") {
    const pay = gross(task.ratePerHour, lease.billedSeconds);
    actions.push({
      label: "Approve and pay",
      cost: `Pays ${money(pay)} now and gives ${money(lease.reserved - pay)} back to you.`,
      variant: "primary",
      run: () => market.approve(lease.leaseId),
    });
  }
  if (isMine && (lease.status === "Open" || lease.status === "Assigned")) {
    actions.push({
      label: "Cancel task",
      cost: `Free of charge: ${money(lease.reserved)} come back to you.`,
      variant: "danger",
      run: () => market.cancel(task.taskId),
    });
  }
  if (isMine && lease.status === "Running") {
    const ran = Math.min(task.maxDuration, Math.max(0, (now ?? 0) - Number(lease.startedAt)));
    const seconds = Math.max(ran, task.terms.minBilled);
    actions.push({
      label: "Cancel task",
      cost: `You pay for the run so far: about ${money(gross(task.ratePerHour, BigInt(seconds)))} for ${formatSeconds(seconds)}.`,
      variant: "danger",
      run: () => market.cancel(task.taskId),
    });
  }
  const deadline = deadlineOf(task, lease);
  if (deadline !== undefined && now !== undefined && now > deadline.enforceableAt) {
    actions.push(
      deadline.enforce === "settle"
        ? {
            label: "Settle",
            cost: "The window is over: anyone may have the node paid. It costs only gas.",
            variant: "secondary",
            run: () => market.settle(lease.leaseId),
          }
        : {
            label: "Enforce the deadline",
            cost: "It has passed: the task ends and what was not used comes back. It costs only gas.",
            variant: "secondary",
            run: () => market.expire(lease.leaseId),
          },
    );
  }
  return actions;
}
