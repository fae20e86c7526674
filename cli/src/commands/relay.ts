import { DekuperError, formatAmount, parseAmount } from "@dekuper/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { formatEther, parseEther } from "viem";
import type { RelayEvent } from "../relay/carrier.ts";
import { type Answer, handle, type Runtime } from "../run.ts";

interface Options {
  readonly fee: string;
  readonly host: string;
  readonly port: number;
  readonly perMinute: number;
  readonly maxCost: bigint;
}

/** `relay`: a service that sends consumers' signed calls and is paid in the payment token (rule 29). */
export function registerRelay(program: Command, runtime: Runtime): void {
  const command = program
    .command("relay")
    .description("carry consumers' signed transactions for a fee in the payment token, until it is stopped")
    .requiredOption("--fee <amount>", "what each batch gives this account, such as 0.05")
    .option("--host <address>", "where to listen (default: this machine only)", "127.0.0.1")
    .option("--port <number>", "port; 0: any free one (default: 9470)", readPort, 9470)
    .option("--per-minute <count>", "batches of one consumer a minute (default: 6)", readCount, 6)
    .option(
      "--max-cost <coin>",
      "the most of the chain's coin that one batch may cost (default: 0.01)",
      readCoin,
      parseEther("0.01"),
    );
  handle<Options>(command, runtime, async (context, _, options): Promise<Answer> => {
    if (context.relayUrl !== undefined)
      throw new DekuperError("USAGE", "--relay: a relay sends by itself.", { hint: "Leave --relay out." });
    const { Carrier } = await import("../relay/carrier.ts");
    const { startRelayServer } = await import("../relay/server.ts");
    const market = await context.requireWallet("deployer");
    const { deployment } = market.network;
    const [token, { gasBalance }] = [await market.token(), await market.account(market.address)];
    const fee = parseAmount(options.fee, token);
    if (gasBalance < options.maxCost) {
      throw new DekuperError(
        "INSUFFICIENT_GAS",
        `${market.address} has ${formatEther(gasBalance)} of the chain's coin; one batch may cost ${formatEther(options.maxCost)}.`,
        { details: { account: market.address, has: gasBalance, needs: options.maxCost } },
      );
    }
    const rules = { deployment, relayer: market.address, fee };
    const count = { sent: 0, mined: 0, failed: 0, refused: 0 };
    const { out, signal } = context;
    const carrier = new Carrier({
      market,
      rules,
      limits: { perMinute: options.perMinute, maxCost: options.maxCost },
      onEvent: (event) => {
        count[event.kind]++;
        if (out.json)
          out.streams.stderr.write(
            `${JSON.stringify(event, (_, value) => (typeof value === "bigint" ? value.toString() : value))}\n`,
          );
        else out.note(sentenceOf(event));
      },
    });
    const server = await startRelayServer({ host: options.host, port: options.port, rules, carrier });
    if (out.json) out.streams.stderr.write(`${JSON.stringify({ kind: "listening", url: server.url })}\n`);
    else
      out.note(
        `Listening on ${server.url}, ${formatAmount(fee, token)} a batch to ${market.address}. Ctrl-C stops it.`,
      );
    try {
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      await server.stop();
    }
    const { free } = await market.account(market.address);
    return {
      json: { relayer: market.address, fee, free, ...count },
      print: () => {
        out.line(
          `Carried ${count.mined} of ${count.sent} sent, refused ${count.refused}; ${formatAmount(free, token)} are free in escrow.`,
        );
        out.next("dekuper account withdraw all");
      },
    };
  });
}

function sentenceOf(event: RelayEvent): string {
  switch (event.kind) {
    case "sent":
      return `${event.from}: sent ${event.hash}`;
    case "mined":
      return `${event.from}: carried, gas ${event.gasUsed}`;
    case "failed":
      return `${event.from}: failed on chain and paid nothing, gas ${event.gasUsed}; not heard for an hour`;
    case "refused":
      return `${event.from ?? "somebody"}: refused (${event.refusal.code}): ${event.refusal.message}`;
  }
}

function readPort(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new InvalidArgumentError("Expected a port from 0 to 65535.");
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number above zero.");
}

function readCoin(text: string): bigint {
  if (/^\d+(\.\d{1,18})?$/.test(text) && parseEther(text) > 0n) return parseEther(text);
  throw new InvalidArgumentError("Expected an amount of coin such as 0.01.");
}
