import type { LeaseFacts, Market } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import { formatAmount, formatCount, formatSeconds, formatTime, shortId } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { leaseOfMember, MEMBER_OPTION, readMember } from "./members.ts";
import { stateInWords } from "./states.ts";

export function registerTaskClaim(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("claim")
    .description(
      "say that a result cannot be fetched, with a bond: attesters try it, and who is right has the bond",
    )
    .argument("<task>", "task or lease id, or its beginning")
    .option(MEMBER_OPTION, "which of several nodes (default: 0)", readMember);
  handle<{ member?: number }>(command, runtime, async (context, [text = ""], { member }): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    const found = await market.task(id);
    const { task } = found;
    const lease = leaseOfMember(found, member);
    const { claimBond, answerWindow } = task.terms;
    await requireClaimable(market, lease);
    const [token, { free }] = await Promise.all([market.token(), market.account(market.address)]);
    const amount = (value: bigint) => formatAmount(value, token);
    if (free < claimBond) {
      throw new DekuperError(
        "INSUFFICIENT_FUNDS",
        `A claim puts ${amount(claimBond)} at risk; ${market.address} has ${amount(free)} free in escrow.`,
        { details: { bond: claimBond, free } },
      );
    }
    await context.confirm(
      `Claim that the result cannot be fetched? It puts ${amount(claimBond)} at risk for ${formatSeconds(answerWindow)}: they are the node's if it has your receipt or attesters fetch the result.`,
    );
    context.progress.step("claiming");
    const sent = await market.claimUndelivered(lease.leaseId);
    const { status, state } = (await market.task(lease.leaseId)).lease;
    context.progress.clear();
    return {
      json: { ...sent, taskId: task.taskId, leaseId: lease.leaseId, member: lease.index, status, state },
      print: (out) => {
        printFields(out, [
          ["bond", `${amount(sent.bond)}, at risk until the claim is decided`],
          ["answered by", formatTime(sent.answerUntil)],
          [
            "delivered",
            "your receipt, or more than two thirds of the attesters: the node has the bond and its pay",
          ],
          ["withheld", "more than two thirds of the attesters: the node is not paid, the bond comes back"],
          ["no verdict", "as if never raised: the bond comes back, the node is paid"],
        ]);
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        const short = shortId(task.taskId).slice(0, -1);
        out.next(`dekuper task show ${short}`, `dekuper task fetch ${short}`);
      },
    };
  });
}

/** The contract takes a claim of a completed lease inside its window (rules 20 and 23): what decided is said before anybody signs. */
async function requireClaimable(market: Market, lease: LeaseFacts): Promise<void> {
  const { status, state, deadline, leaseId } = lease;
  if (status !== "Completed") {
    throw new DekuperError(
      "WRONG_STATE",
      `The lease is ${stateInWords(state)}: only a result that is attested and not yet paid for is claimed.`,
      { details: { leaseId, status } },
    );
  }
  const { timestamp } = await market.head();
  if (timestamp > deadline) {
    throw new DekuperError(
      "WRONG_STATE",
      `Its window ended at ${formatTime(deadline)}, the chain's clock is ${formatTime(timestamp)}: a claim comes too late.`,
      { details: { leaseId, deadline, timestamp } },
    );
  }
}
