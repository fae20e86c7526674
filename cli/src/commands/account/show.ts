import { type AccountInfo, type Market, type Runway, readRunway, readStatement } from "@dekuper/client";
import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import { formatAmount, formatGasCoin, formatSeconds, plural, shortId } from "../../output/format.ts";
import { printFields, printTable } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerAccountShow(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("show")
    .description(
      "what an account has in escrow, how long that lasts, what it has earned, and what its wallet holds",
    )
    .argument("[address]", "default: the command's own account");
  handle(command, runtime, async (context, [address = ""]): Promise<Answer> => {
    const market = await context.market(undefined);
    const whose = address === "" ? (await context.requireAccount("consumer")).address : readAddress(address);
    const [account, token] = await Promise.all([market.account(whose), market.token()]);
    const runway = await runwayFor(market, account);
    const { network } = market;
    return {
      json: {
        ...account,
        runway: runway ?? null,
        token,
        network: network.name,
        chainId: network.deployment.chainId,
      },
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
        if (runway !== undefined) {
          out.line();
          printFields(out, runwayWords(runway, amount));
        }
        if (account.free === 0n && account.walletBalance > 0n)
          out.next(`dekuper account deposit "10 ${token.symbol}"`);
      },
    };
  });
}

/** Undefined without reservations: then nothing can run. */
async function runwayFor(market: Market, { address, reserved }: AccountInfo): Promise<Runway | undefined> {
  if (reserved === 0n) return undefined;
  return readRunway(market, await readStatement(market, address));
}

function runwayWords(
  runway: Runway,
  amount: (value: bigint) => string,
): (readonly [string, string | undefined])[] {
  const { burnPerHour, runningLeases, accrued, idle, first, reservedSeconds, freeSeconds } = runway;
  const lasts = (seconds: bigint) => formatSeconds(Number(seconds));
  if (freeSeconds === undefined || first === undefined || reservedSeconds === undefined) {
    return [["runway", `nothing runs; ${amount(idle)} are reserved for what waits or has ended`]];
  }
  const end =
    first.seconds === reservedSeconds
      ? `reserved for ${lasts(reservedSeconds)} more`
      : `reserved for ${lasts(reservedSeconds)} more, task ${shortId(first.taskId)} for ${lasts(first.seconds)}`;
  return [
    [
      "burn",
      `${amount(burnPerHour)} per hour for ${plural(runningLeases, "running lease")}, ${amount(accrued)} so far`,
    ],
    ["runway", `${end}; the free balance pays ${lasts(freeSeconds)} at this rate`],
    ["idle", idle === 0n ? undefined : `${amount(idle)} reserved for what waits or has ended`],
  ];
}
