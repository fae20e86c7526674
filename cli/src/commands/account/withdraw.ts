import type { Command } from "commander";
import { readAddress, readAmount } from "../../amounts.ts";
import { formatAmount, formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

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
    const amount =
      text === "all" && free > 0n ? free : (await readAmount(market, text === "all" ? "0" : text)).amount;
    const target = to === undefined ? market.address : readAddress(to, "--to");
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
