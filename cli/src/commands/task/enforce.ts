import type { SentTransaction } from "@dekuper/client";
import type { Command } from "commander";
import type { Hex } from "viem";
import { formatCount, shortId } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { leaseOfMember, MEMBER_OPTION, readMember } from "./members.ts";
import { paintState, stateInWords } from "./states.ts";

interface Enforcement {
  readonly name: "expire" | "failover" | "settle" | "lapse-claim" | "tally";
  readonly description: string;
  readonly step: string;
}

/** What anyone may do once it is due; the command says so of itself when it is not. */
const ENFORCEMENTS: readonly Enforcement[] = [
  {
    name: "expire",
    description: "enforce the deadline that a node or you have missed; anyone may",
    step: "enforcing the deadline",
  },
  {
    name: "failover",
    description: "take a lease from a node that is revoked or has been offline for too long; anyone may",
    step: "taking the lease from its node",
  },
  {
    name: "settle",
    description: "pay a completed lease whose window is over; anyone may",
    step: "settling",
  },
  {
    name: "lapse-claim",
    description: "end a delivery claim that nobody has answered in time; anyone may",
    step: "ending the claim",
  },
  {
    name: "tally",
    description: "count a quorum's results once all are open, or their time is over; anyone may",
    step: "counting the results",
  },
];

/** Adds `task expire`, `task failover`, `task settle`, `task lapse-claim` and `task tally`. */
export function registerTaskEnforcement(parent: Command, runtime: Runtime): void {
  for (const { name, description, step } of ENFORCEMENTS) {
    const command = parent
      .command(name)
      .description(description)
      .argument("<task>", "task or lease id, or its beginning")
      .option(MEMBER_OPTION, "which of several nodes (default: 0)", readMember);
    handle<{ member?: number }>(
      command,
      runtime,
      async (context, [text = ""], { member }): Promise<Answer> => {
        const market = await context.requireWallet("consumer");
        const folder = await context.folder();
        const id = await findTaskId({ text, market, folder, consumer: market.address });
        const found = await market.task(id);
        const { leaseId, index } = leaseOfMember(found, member);
        context.progress.step(step);
        const calls: Record<Enforcement["name"], (leaseId: Hex) => Promise<SentTransaction>> = {
          expire: market.expire,
          failover: market.failover,
          settle: market.settle,
          "lapse-claim": market.lapseClaim,
          tally: () => market.tally(found.task.taskId),
        };
        const sent = await calls[name](leaseId);
        const after = await market.task(leaseId);
        context.progress.clear();
        const { status, state } = after.lease;
        return {
          json: { ...sent, taskId: found.task.taskId, leaseId, member: index, status, state },
          print: (out) => {
            out.line(`The lease is ${paintState(out, state, stateInWords(state))} now.`);
            out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
            out.next(`dekuper task show ${shortId(found.task.taskId).slice(0, -1)}`);
          },
        };
      },
    );
  }
}
