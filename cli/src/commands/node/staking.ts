import type { Market, SentTransaction, TokenInfo } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import type { Address } from "viem";
import { readAmount } from "../../amounts.ts";
import type { CommandContext } from "../../context.ts";
import { formatAmount, formatCount, formatTime } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findOwnNode } from "./own-node.ts";

/** `node stake`, `node unstake` and `node withdraw`. */
export function registerNodeStaking(parent: Command, runtime: Runtime): void {
  registerStake(parent, runtime);
  registerUnstake(parent, runtime);
  registerWithdraw(parent, runtime);
}

function registerStake(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("stake")
    .description("add stake from escrow; what is missing there is deposited from the wallet")
    .argument("<amount>", 'such as 100 or "100 USDC"')
    .argument("[node]", "default: the only node of the account");
  handle(command, runtime, async (context, [text = "", name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const { amount, token } = await readAmount(market, text);
    const { address } = await findOwnNode(market, market.address, name);
    const sent = await stakeWithDeposit(context, market, market.address, address, amount, token);
    const { stake } = await market.node(address);
    return {
      json: { ...sent, node: address, amount, stake },
      print: (out) => {
        out.line(
          `${out.bold(address)} has ${formatAmount(stake.staked, token)} staked; ${formatAmount(stake.required, token)} are needed.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
      },
    };
  });
}

/** Stakes, after depositing what the owner's escrow account lacks. */
export async function stakeWithDeposit(
  context: CommandContext,
  market: Market,
  owner: Address,
  node: Address,
  amount: bigint,
  token: TokenInfo,
): Promise<SentTransaction> {
  const { free } = await market.account(owner);
  if (free < amount) {
    context.progress.step(`depositing ${formatAmount(amount - free, token)}`);
    await market.deposit(amount - free);
  }
  context.progress.step(`staking ${formatAmount(amount, token)}`);
  const sent = await market.stake(node, amount);
  context.progress.clear();
  return sent;
}

function registerUnstake(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("unstake")
    .description("start unbonding stake that no lease locks; it can be slashed until it is released")
    .argument("<amount>", 'such as 100, "100 USDC" or all')
    .argument("[node]", "default: the only node of the account");
  handle(command, runtime, async (context, [text = "", name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const token = await market.token();
    const { address, stake } = await findOwnNode(market, market.address, name);
    const amount = text === "all" ? stake.staked - stake.locked : (await readAmount(market, text)).amount;
    if (amount === 0n) {
      throw new DekuperError("WRONG_STATE", `${address} has no stake that is not locked.`, {
        details: { staked: stake.staked, locked: stake.locked },
        hint: "Live leases lock stake until they are settled.",
      });
    }
    context.progress.step(`unstaking ${formatAmount(amount, token)}`);
    const sent = await market.unstake(address, amount);
    const after = (await market.node(address)).stake;
    context.progress.clear();
    return {
      json: { ...sent, node: address, amount, stake: after },
      print: (out) => {
        out.line(
          `${formatAmount(amount, token)} are unbonding, released after ${out.bold(formatTime(after.releasableAt))}.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        out.next(`dekuper node withdraw ${address}`);
      },
    };
  });
}

function registerWithdraw(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("withdraw")
    .description("take earnings out of escrow, and release stake that has finished unbonding")
    .argument("[node]", "default: the only node of the account");
  handle(command, runtime, async (context, [name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const [token, head, account] = await Promise.all([
      market.token(),
      market.head(),
      market.account(market.address),
    ]);
    const node = await findOwnNode(market, market.address, name);
    const { unbonding, releasableAt } = node.stake;
    const released = unbonding > 0n && head.timestamp > releasableAt ? unbonding : 0n;
    if (account.earnings === 0n && released === 0n) {
      const waiting =
        unbonding === 0n
          ? ""
          : ` ${formatAmount(unbonding, token)} are unbonding until ${formatTime(releasableAt)}.`;
      throw new DekuperError("WRONG_STATE", `There is nothing to withdraw yet.${waiting}`, {
        details: { account: market.address, earnings: 0n },
        hint: "Earnings appear when leases are settled.",
      });
    }
    context.progress.step("withdrawing");
    const transactions: SentTransaction[] = [];
    if (released > 0n) transactions.push(await market.releaseUnbonded(node.address));
    if (account.earnings > 0n) transactions.push(await market.withdrawEarnings(account.earnings));
    context.progress.clear();
    return {
      json: { node: node.address, earnings: account.earnings, released, transactions },
      print: (out) => {
        if (account.earnings > 0n)
          out.line(
            `Withdrew ${out.bold(formatAmount(account.earnings, token))} of earnings to ${market.address}.`,
          );
        if (released > 0n) {
          out.line(`Released ${out.bold(formatAmount(released, token))} of stake; they are free in escrow.`);
        }
        for (const sent of transactions) {
          out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        }
        if (released > 0n) out.next(`dekuper account withdraw all${context.asRole("provider1")}`);
      },
    };
  });
}
