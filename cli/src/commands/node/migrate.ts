import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import { formatAmount, formatCount, formatTime } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findOwnNode } from "./own-node.ts";

/** `node migrate`: the stake follows its owner to a new operator's key (rule 4). */
export function registerNodeMigrate(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("migrate")
    .description("move all stake to another node of yours, such as one with a new operator's key; owner only")
    .argument("<new>", "the node that shall have it, registered by the same owner")
    .argument("[node]", "the node that has it (default: the account's only other node)");
  handle(command, runtime, async (context, [to = "", name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const [token, target] = [await market.token(), await market.node(readAddress(to, "new node"))];
    const from = await findOwnNode(market, market.address, name, target.address);
    const { staked, unbonding, releasableAt } = from.stake;
    await context.confirm(
      `Move ${formatAmount(staked, token)} of stake from ${from.address} to ${target.address}? It cannot move again before the evidence period is over.`,
    );
    context.progress.step("moving the stake");
    const sent = await market.migrate(from.address, target.address);
    const { stake } = await market.node(target.address);
    context.progress.clear();
    return {
      json: { ...sent, from: from.address, node: target.address, staked, unbonding, stake },
      print: (out) => {
        out.line(
          `${out.bold(target.address)} has ${formatAmount(stake.staked, token)} staked; ${formatAmount(stake.required, token)} are needed.`,
        );
        if (unbonding > 0n)
          out.line(
            `${formatAmount(unbonding, token)} go on unbonding there until ${formatTime(releasableAt)}.`,
          );
        out.line("What the old node signed can still be slashed from it.");
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        out.next(`dekuper node status ${target.address}`);
      },
    };
  });
}
