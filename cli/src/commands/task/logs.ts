import { followTaskLogs, type LogNotice, signerOf } from "@dekuper/client";
import type { Command } from "commander";
import type { CommandContext } from "../../context.ts";
import { shortAddress } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

export function registerTaskLogs(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("logs")
    .description("the task's log, from the node that runs it")
    .argument("<task>", "task or lease id, or its beginning")
    .option("-f, --follow", "wait for the start, go on until the run has ended, reconnect where needed");
  handle<{ follow?: boolean }>(
    command,
    runtime,
    async (context, [text = ""], { follow }): Promise<Answer> => {
      const market = await context.requireWallet("consumer");
      const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
      const { task } = await market.task(id);
      context.progress.step("finding the node");
      const peer = await context.peer(market);
      const parts: Uint8Array[] = [];
      const { stdout } = context.out.streams;
      const log = followTaskLogs({
        market,
        peer,
        signer: signerOf(market.wallet),
        id,
        follow: follow === true,
        signal: context.signal,
        onNotice: (notice) => report(context, notice),
      });
      for await (const bytes of log) {
        if (context.out.json) parts.push(bytes);
        else if (!stdout.write(bytes)) await new Promise((resolve) => stdout.once("drain", resolve));
      }
      context.progress.clear();
      return {
        json: { taskId: task.taskId, log: Buffer.concat(parts).toString("utf8") },
        print: () => undefined,
      };
    },
  );
}

function report({ progress, out }: CommandContext, notice: LogNotice): void {
  if (notice.kind === "waiting") {
    progress.update(
      notice.status === "Open" ? "waiting for a node to accept" : "waiting for the task to start",
    );
  } else if (notice.kind === "connected") {
    progress.clear(); // from here on the log has the terminal
    if (notice.offset === 0) out.note(out.paintNote("gray", `log from node ${shortAddress(notice.node)}`));
  } else {
    out.note(out.paintNote("yellow", `${notice.error.message} Trying again.`));
  }
}
