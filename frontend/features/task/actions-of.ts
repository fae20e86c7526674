import { cancelCost, type Market, type TaskDetail } from "@dekuper/client";
import { formatSeconds, gross, reservation } from "@dekuper/protocol";
import type { Hex } from "viem";
import { formatMoney, type Token } from "../../ui/money.ts";
import { partNoun } from "./part-words.ts";
import { deadlineOf } from "./states.ts";

export interface Action {
  readonly label: string;
  readonly cost: string;
  readonly variant: "primary" | "danger" | "secondary";
  run(): Promise<unknown>;
}

/** Of a quorum's votes. */
const COUNT = "Count the results";

/** What can be done with a task at chain time `now`, in Unix seconds, and what each costs. */
export function actionsOf(from: {
  detail: TaskDetail;
  token: Token;
  now: number | undefined;
  market: Market;
  isMine: boolean;
  /** Leases whose output is here and right. */
  opened: ReadonlySet<Hex>;
}): Action[] {
  const { market, token, now, isMine } = from;
  const { task, leases, state } = from.detail;
  const money = (amount: bigint) => formatMoney(amount, token);
  const actions: Action[] = [];
  const done = leases.filter((lease) => lease.status === "Completed");
  if (isMine && done.length > 0) {
    const pay = sum(done.map((lease) => gross(lease.ratePerHour, lease.billedSeconds)));
    actions.push({
      label: "Approve and pay",
      cost: `Pays ${money(pay)} now and gives ${money(sum(done.map(({ reserved }) => reserved)) - pay)} back to you.`,
      variant: "primary",
      run: async () => {
        for (const { leaseId } of done) await market.approve(leaseId);
      },
    });
  }
  const claimable = done.filter(
    (lease) => !from.opened.has(lease.leaseId) && now !== undefined && now <= Number(lease.deadline),
  );
  for (const lease of isMine ? claimable : []) {
    const { claimBond, answerWindow } = task.terms;
    actions.push({
      label: `Say that it cannot be fetched${partOf(from.detail, lease.index)}`,
      cost: `Only where the node withholds it. ${money(claimBond)} of yours are at risk for ${formatSeconds(answerWindow)}: they go to the node if your receipt, or attesters, show that it delivered; else they come back.`,
      variant: "secondary",
      run: () => market.claimUndelivered(lease.leaseId),
    });
  }
  const cancel = isMine && now !== undefined ? cancelCost(from.detail, BigInt(now)) : undefined;
  if (cancel !== undefined) {
    const { pays, returns, seconds } = cancel;
    actions.push({
      label: "Cancel task",
      cost:
        pays === 0n
          ? `Free of charge: ${money(returns)} come back to you.`
          : `You pay for the run so far, about ${money(pays)} for ${formatSeconds(Number(seconds))}${leases.length > 1 ? ", all nodes together" : ""}, and get ${money(returns)} back.`,
      variant: "danger",
      run: () => market.cancel(task.taskId),
    });
  }
  const running = leases.filter((lease) => lease.status === "Running");
  const waiting = leases.filter((lease) => lease.status === "Open" || lease.status === "Assigned");
  const left = task.maxDuration - task.fundedSeconds;
  if (isMine && left > 0 && (running.length > 0 || waiting.length > 0) && state !== "Stopping") {
    const more = sum([...running, ...waiting].map(({ ratePerHour }) => reservation(ratePerHour, left)));
    actions.push({
      label: "Fund the rest",
      cost: `Reserves ${money(more)} for ${formatSeconds(left)} more. What is not used comes back.`,
      variant: "secondary",
      run: () => market.topUp(task.taskId, task.maxDuration),
    });
  }
  for (const lease of leases) {
    const deadline = deadlineOf(lease);
    if (deadline === undefined || now === undefined || now <= deadline.enforceableAt) continue;
    if (deadline.enforce === "tally") {
      if (actions.some(({ label }) => label === COUNT)) continue; // of all replicas at once
      actions.push({
        label: COUNT,
        cost: "Their time to open their results is over: anyone may have them counted. It costs only gas.",
        variant: "secondary",
        run: () => market.tally(task.taskId),
      });
      continue;
    }
    const of = partOf(from.detail, lease.index);
    actions.push(
      deadline.enforce === "settle"
        ? {
            label: `Settle${of}`,
            cost: "The window is over: anyone may have the node paid. It costs only gas.",
            variant: "secondary",
            run: () => market.settle(lease.leaseId),
          }
        : deadline.enforce === "lapse-claim"
          ? {
              label: `End the claim${of}`,
              cost: "Nobody has answered it: the bond comes back, and the node is paid as if it had not been raised. It costs only gas.",
              variant: "secondary",
              run: () => market.lapseClaim(lease.leaseId),
            }
          : {
              label: `Enforce the deadline${of}`,
              cost: "It has passed: what was not used comes back, or another node may go on. It costs only gas.",
              variant: "secondary",
              run: () => market.expire(lease.leaseId),
            },
    );
  }
  return actions;
}

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** ` of member 1`; nothing where the task has one lease. */
function partOf(detail: Pick<TaskDetail, "leases" | "ballot">, index: number): string {
  return detail.leases.length === 1 ? "" : ` of ${partNoun(detail)} ${index}`;
}
