import { type Market, quoteNonceAfter, type SentTransaction } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { Address } from "viem";
import { formatCount, plural } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

/** `node cancel-quotes`: what the operator's key has signed and nobody has used yet becomes void (rule 8). */
export function registerNodeCancelQuotes(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("cancel-quotes")
    .description("void quotes that the node has signed; with the operator's key, which signed them")
    .argument("[nonces...]", "nonces of single quotes")
    .option("--below <nonce>", "all with a lower nonce", readNonce)
    .option("--all", "all that were signed up to now");
  handle<{ below?: bigint; all?: boolean }>(
    command,
    runtime,
    async (context, given, { below, all }): Promise<Answer> => {
      const nonces = given.map(nonceOf);
      if ([nonces.length > 0, below !== undefined, all === true].filter(Boolean).length !== 1) {
        throw new DekuperError("USAGE", "Which quotes: give nonces, or --below NONCE, or --all.", {
          hint: "`dekuper node cancel-quotes --help` explains them.",
        });
      }
      const market = await context.requireWallet("operator1");
      await requireOperator(market, market.address);
      // Above it nothing is signed so far; a higher bound would leave --all nothing to send for as long as the clock is below it.
      const signed = quoteNonceAfter((await market.head()).timestamp);
      if (below !== undefined && below > signed)
        throw new DekuperError(
          "USAGE",
          `--below: got ${below}, expected at most ${signed}, the next second's first nonce.`,
          {
            details: { got: below, most: signed },
          },
        );
      const bound = all ? signed : below;
      const transactions: SentTransaction[] = [];
      context.progress.step("cancelling");
      if (bound !== undefined) transactions.push(await market.cancelQuotes(bound));
      for (const nonce of nonces) transactions.push(await market.cancelQuote(nonce));
      context.progress.clear();
      return {
        json: { node: market.address, below: bound ?? null, nonces, transactions },
        print: (out) => {
          out.line(
            bound === undefined
              ? `${plural(nonces.length, "quote")} of ${out.bold(market.address)} can no longer be used.`
              : `No quote of ${out.bold(market.address)} with a nonce below ${bound} can be used any more.`,
          );
          for (const { hash, block, gasUsed } of transactions)
            out.line(out.dim(`${hash}  block ${block}  gas ${formatCount(gasUsed)}`));
          if (bound !== undefined) out.line("A daemon that runs goes on above it within seconds.");
        },
      };
    },
  );
}

/** The contract voids the caller's own quotes: another key would void nothing and say nothing. */
async function requireOperator(market: Market, account: Address): Promise<void> {
  const nodes = await market.nodes();
  if (nodes.some(({ address }) => address === account)) return;
  const owned = nodes.filter(({ owner }) => owner === account).map(({ address }) => address);
  throw new DekuperError(
    "NOT_ALLOWED",
    owned.length === 0
      ? `${account} is no node's operator.`
      : `${account} owns ${owned.join(", ")}, but quotes are cancelled by the operator's key, which signed them.`,
    {
      details: { account },
      hint: "Give the operator's key: --key-file FILE with the keystore that `dekuper node init` made.",
    },
  );
}

function nonceOf(text: string): bigint {
  if (/^\d{1,78}$/.test(text) && BigInt(text) < 2n ** 256n) return BigInt(text);
  throw new DekuperError(
    "USAGE",
    `nonces: got ${JSON.stringify(text)}, expected a whole number below 2^256.`,
    {
      details: { got: text },
    },
  );
}

function readNonce(text: string): bigint {
  try {
    return nonceOf(text);
  } catch {
    throw new InvalidArgumentError("Expected a whole number below 2^256.");
  }
}
