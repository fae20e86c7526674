import { type CheckedStatement, readStatement, statementCsv, type TokenInfo, totalOf } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { readPeriod } from "./period.ts";
import { printStatement, warnings } from "./statement-page.ts";

interface Options {
  readonly from?: string;
  readonly to?: string;
  readonly csv?: boolean;
}

export function registerAccountStatement(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("statement")
    .description(
      "every movement of an account, explained by seconds, rate, downtime and fee, and checked against the chain",
    )
    .argument("[address]", "a consumer or an owner of nodes (default: the command's own account)")
    .option("--from <when>", "first day (UTC), time or block that counts")
    .option("--to <when>", "last day (UTC), time or block that counts")
    .option("--csv", "print the lines as CSV, for a spreadsheet");
  handle<Options>(command, runtime, async (context, [address = ""], options): Promise<Answer> => {
    if (options.csv === true && context.out.json) {
      throw new DekuperError("USAGE", "--csv and --json exclude each other.", { hint: "Give one of them." });
    }
    const period = readPeriod(options.from, options.to);
    const market = await context.market(undefined);
    const whose = address === "" ? (await context.requireAccount("consumer")).address : readAddress(address);
    const [statement, token] = await Promise.all([readStatement(market, whose, period), market.token()]);
    const { network } = market;
    return {
      json: { ...jsonOf(statement, token), network: network.name, chainId: network.deployment.chainId },
      print: (out) => {
        if (options.csv !== true) return printStatement(out, statement, token, network);
        out.streams.stdout.write(statementCsv(statement, token));
        for (const warning of warnings(statement, token)) out.note(out.paintNote("red", warning));
      },
      exitCode: statement.check.agrees && statement.faulty.length === 0 ? 0 : 1,
    };
  });
}

function jsonOf(statement: CheckedStatement, token: TokenInfo) {
  const { account, period, opening, closing, totals, now, check } = statement;
  return {
    account,
    token,
    period: { from: period.from ?? null, to: period.to ?? null },
    opening: { ...opening, total: totalOf(opening) },
    lines: statement.lines.map(({ movement, change, balance, faults }) => ({
      ...movement,
      change: { ...change, total: totalOf(change) },
      balance: { ...balance, total: totalOf(balance) },
      faults,
    })),
    closing: { ...closing, total: totalOf(closing) },
    totals,
    now: { ...now, total: totalOf(now) },
    reservations: statement.reservations,
    stakes: statement.stakes,
    check,
    faultyLines: statement.faulty.length,
  };
}
