import type { SeatBid, TokenInfo } from "@dekuper/client";
import type { Command } from "commander";
import { readAmount } from "../../amounts.ts";
import { formatAmount, formatCount, formatTime } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findOwnNode } from "./own-node.ts";

/** `node bid` and `node withdraw-bid`: a seat among the attesters who report what is offline (rule 24). */
export function registerNodeBid(parent: Command, runtime: Runtime): void {
  const bid = parent
    .command("bid")
    .description("bid for a seat among the attesters, or raise the bid: it locks stake; owner only")
    .argument("<amount>", 'what to lock in all, such as 100 or "100 USDC"')
    .argument("[node]", "default: the only node of the account");
  handle(bid, runtime, async (context, [text = "", name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const { amount, token } = await readAmount(market, text);
    const { address } = await findOwnNode(market, market.address, name);
    context.progress.step(`bidding ${formatAmount(amount, token)}`);
    const sent = await market.bid(address, amount);
    const after = await market.seatBid(address);
    context.progress.clear();
    return {
      json: { ...sent, node: address, bid: after },
      print: (out) => {
        out.line(`${out.bold(address)} bids ${formatAmount(after.amount, token)}; ${standing(after, token)}`);
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
      },
    };
  });

  const withdraw = parent
    .command("withdraw-bid")
    .description("take the bid for a seat back; a seat stays until the epoch ends; owner only")
    .argument("[node]", "default: the only node of the account");
  handle(withdraw, runtime, async (context, [name = ""]): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const token = await market.token();
    const { address } = await findOwnNode(market, market.address, name);
    context.progress.step("taking the bid back");
    const sent = await market.withdrawBid(address);
    const after = await market.seatBid(address);
    context.progress.clear();
    return {
      json: { ...sent, node: address, bid: after },
      print: (out) => {
        out.line(
          after.isLeaving
            ? `${out.bold(address)} leaves: ${standing(after, token)}`
            : `${out.bold(address)} bids no more; the stake is free.`,
        );
        out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
      },
    };
  });
}

function standing({ isSeated, isLeaving, amount, epochEndsAt }: SeatBid, token: TokenInfo): string {
  const ends = formatTime(epochEndsAt);
  if (isLeaving) {
    const until = isSeated
      ? `its seat stays until the epoch ends (${ends})`
      : "the bid stands in one election more";
    return `${until}, and ${formatAmount(amount, token)} stay locked until then.`;
  }
  return isSeated
    ? `it has a seat until ${ends}, and stands again then.`
    : `the highest bids get seats when the epoch ends (${ends}).`;
}
