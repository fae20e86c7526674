import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import { formatAmount, formatGasCoin } from "../../output/format.ts";
import { printFields, printTable } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerAccountShow(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("show")
    .description("what an account has in escrow, has earned, and holds in its wallet")
    .argument("[address]", "default: the command's own account");
  handle(command, runtime, async (context, [address = ""]): Promise<Answer> => {
    const market = await context.market(undefined);
    const whose = address === "" ? (await context.requireAccount("consumer")).address : readAddress(address);
    const [account, token] = await Promise.all([market.account(whose), market.token()]);
    const { network } = market;
    return {
      json: { ...account, token, network: network.name, chainId: network.deployment.chainId },
      print: (out) => {
        printFields(out, [
          ["account", out.bold(whose)],
          ["network", `${network.name} (chain ${network.deployment.chainId})`],
        ]);
        out.line();
        const amount = (value: bigint) => formatAmount(value, token);
        printTable(
          out,
          [{ title: "" }, { title: "AMOUNT", right: true }, { title: "" }],
          [
            ["free", amount(account.free), out.dim("in escrow; withdraw at any time")],
            ["reserved", amount(account.reserved), out.dim("in escrow for live tasks")],
            [
              "earnings",
              amount(account.earnings),
              out.dim("earned as a node's owner; `dekuper node withdraw`"),
            ],
            ["wallet", amount(account.walletBalance), out.dim("not deposited")],
            ["gas", formatGasCoin(account.gasBalance), out.dim("for transactions")],
          ],
        );
        if (account.free === 0n && account.walletBalance > 0n)
          out.next(`dekuper account deposit "10 ${token.symbol}"`);
      },
    };
  });
}
