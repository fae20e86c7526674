import type { Command } from "commander";
import { readAmount } from "../../amounts.ts";
import { formatAmount, formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerAccountDeposit(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("deposit")
    .description("move tokens from the wallet into escrow, where tasks reserve them")
    .argument("<amount>", 'such as 40 or "40 USDC"')
    .option("--no-permit", "approve and deposit in two transactions instead of one with a permit");
  handle<{ permit: boolean }>(command, runtime, async (context, [text = ""], { permit }): Promise<Answer> => {
    const market = await context.requireWallet("consumer");
    const { amount, token } = await readAmount(market, text);
    context.progress.step(`depositing ${formatAmount(amount, token)}`);
    const sent = await market.deposit(amount, { permit });
    const account = await market.account(market.address);
    context.progress.clear();
    return {
      json: { ...sent, amount, free: account.free, account: market.address },
      print: (out) => {
        out.line(
          `Deposited ${formatAmount(amount, token)}; ${out.bold(formatAmount(account.free, token))} are free now.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
        out.next("dekuper task plan task.yaml");
      },
    };
  });
}
