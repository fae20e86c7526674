import { type HandedOver, handOverKey, signerOf } from "@dekuper/client";
import type { Command } from "commander";
import { readAddress } from "../../amounts.ts";
import { formatCount, plural, shortAddress, shortId } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

interface Options {
  readonly again?: boolean;
}

export function registerTaskHandKey(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("hand-key")
    .description("hand a private task's key to further nodes, so that they can take a lease over")
    .argument("<task>", "task or lease id, or its beginning")
    .argument("<node...>", "who is to have it; they get spec and inputs from nodes that have them")
    .option("--again", "also to nodes that have it: where one says that what it was handed does not open");
  handle<Options>(command, runtime, async (context, [text = "", ...names], { again }): Promise<Answer> => {
    const nodes = names.map((name) => readAddress(name, "node"));
    const market = await context.requireWallet("consumer");
    const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
    context.progress.step("looking who has the key");
    const done = await handOverKey({
      market,
      key: await context.outputKey(signerOf(market.wallet)),
      id,
      nodes,
      again,
      confirm: async ({ wraps }) => {
        const whom = wraps.map(({ node }) => shortAddress(node)).join(", ");
        await context.confirm(
          `Hand the task's key to ${whom}? ${wraps.length === 1 ? "It reads" : "They read"} its spec, inputs and checkpoints, and no key is taken back.`,
        );
        context.progress.step("handing the key over");
      },
    });
    context.progress.clear();
    return { json: { ...done, sent: done.sent ?? null }, print: (out) => print(out, done) };
  });
}

function print(out: Terminal, { taskId, handed, already, sent }: HandedOver): void {
  const each = (nodes: readonly { readonly node: string; readonly keyVersion: number }[]) =>
    nodes.length === 0
      ? undefined
      : nodes.map(({ node, keyVersion }) => `${node} (encryption key ${keyVersion})`).join(", ");
  printFields(out, [
    ["handed to", each(handed)],
    ["had it already", each(already)],
  ]);
  if (sent === undefined) out.line(`Nothing was sent: ${plural(already.length, "node")} had the key.`);
  else out.line(out.dim(`${sent.hash}  block ${sent.block}  gas ${formatCount(sent.gasUsed)}`));
  out.next(`dekuper task show ${shortId(taskId).slice(0, -1)}`);
}
