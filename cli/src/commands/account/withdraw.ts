import type { TokenInfo } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import type { Address } from "viem";
import { readAddress, readAmount } from "../../amounts.ts";
import { formatAmount, formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

function requireFree(account: Address, free: bigint, amount: bigint, token: TokenInfo): void {
  if (free > 0n && amount <= free) return;
  throw new DekuperError(
    "INSUFFICIENT_FUNDS",
    `${account} has ${formatAmount(free, token)} free in escrow${amount > free ? `; ${formatAmount(amount, token)} are to be withdrawn` : ""}.`,
    {
      details: { account, free, needs: amount },
      hint: "`dekuper account show` says what is free and what live tasks hold.",
    },
  );
}

export function registerAccountWithdraw(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("withdraw")
    .description("move free tokens out of escrow")
    .argument("<amount>", 'such as 40, "40 USDC" or all')
    .option("--to <address>", "where to (default: the account itself)");
  handle<{ to?: string }>(command, runtime, async (context, [text = ""], { to }): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const token = await market.token();
    const { free } = await market.account(market.address);
    const amount = text === "all" ? free : (await readAmount(market, text)).amount;
    const target = to === undefined ? market.address : readAddress(to, "--to");
    requireFree(market.address, free, amount, token);
    context.progress.step(`withdrawing ${formatAmount(amount, token)}`);
    const sent = await market.withdraw(amount, target);
    context.progress.clear();
    return {
      json: { ...sent, amount, to: target, account: market.address },
      print: (out) => {
        out.line(`Withdrew ${out.bold(formatAmount(amount, token))} to ${target}.`);
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
      },
    };
  });
}
