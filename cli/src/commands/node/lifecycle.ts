import type { Market, SentTransaction } from "@dekuper/client";
import type { Command } from "commander";
import type { Address } from "viem";
import { formatCount } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findOwnNode } from "./own-node.ts";

interface Change {
  readonly name: "drain" | "resume" | "revoke";
  readonly description: string;
  readonly question?: string;
  readonly call: (market: Market, node: Address) => Promise<SentTransaction>;
  readonly done: string;
}

const changes: readonly Change[] = [
  {
    name: "drain",
    description: "take no new leases; running ones go on",
    call: (market, node) => market.drain(node),
    done: "takes no new leases; running ones go on.",
  },
  {
    name: "resume",
    description: "take leases again after draining",
    call: (market, node) => market.resume(node),
    done: "takes leases again.",
  },
  {
    name: "revoke",
    description: "end the operator key's power at once and for ever, such as after a leak",
    question: "This is final: the operator's key can never be used again. Revoke it?",
    call: (market, node) => market.revokeOperator(node),
    done: "is retired: nothing that its key signs counts any more.",
  },
];

/** `node drain`, `node resume` and `node revoke`. */
export function registerNodeLifecycle(parent: Command, runtime: Runtime): void {
  for (const { name, description, question, call, done } of changes) {
    const command = parent
      .command(name)
      .description(description)
      .argument("[node]", "default: the only node of the account");
    handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
      const market = await context.requireWallet("provider1");
      const { address } = await findOwnNode(market, market.address, text);
      if (question !== undefined) await context.confirm(`${address}: ${question}`);
      context.progress.step(`${name} ${address}`);
      const sent = await call(market, address);
      const after = await market.node(address);
      context.progress.clear();
      return {
        json: { ...sent, node: address, status: after.status },
        print: (out) => {
          out.line(`${out.bold(address)} ${done}`);
          out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
          if (name === "drain")
            out.next(`dekuper node status ${address}`, `dekuper node unstake all ${address}`);
        },
      };
    });
  }
}
