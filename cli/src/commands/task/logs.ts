import { followTaskLogs, type LogNotice, signerOf } from "@dekuper/client";
import type { Command } from "commander";
import type { CommandContext } from "../../context.ts";
import { shortAddress } from "../../output/format.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { leaseOfMember, MEMBER_OPTION, readMember } from "./members.ts";

export function registerTaskLogs(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("logs")
    .description("the task's log, from the node that runs it")
    .argument("<task>", "task or lease id, or its beginning")
    .option("-f, --follow", "wait for the start, go on until the run has ended, reconnect where needed")
    .option(MEMBER_OPTION, "which of several nodes' logs (default: 0)", readMember);
  handle<{ follow?: boolean; member?: number }>(
    command,
    runtime,
    async (context, [text = ""], { follow, member }): Promise<Answer> => {
      const market = await context.requireWallet("consumer");
      const id = await findTaskId({ text, market, folder: await context.folder(), consumer: market.address });
      const found = await market.task(id);
      const { leaseId, index } = leaseOfMember(found, member);
      context.progress.step("finding the node");
      const peer = await context.peer(market);
      const parts: Uint8Array[] = [];
      const { stdout } = context.out.streams;
      const log = followTaskLogs({
        market,
        peer,
        signer: signerOf(market.wallet),
        id: leaseId,
        follow: follow === true,
        signal: context.signal,
        onNotice: (notice) => {
          if (notice.kind === "restarted") parts.length = 0;
          report(context, notice);
        },
      });
      for await (const bytes of log) {
        if (context.out.json) parts.push(bytes);
        else if (!stdout.write(bytes)) await new Promise((resolve) => stdout.once("drain", resolve));
      }
      context.progress.clear();
      return {
        json: { taskId: found.task.taskId, member: index, log: Buffer.concat(parts).toString("utf8") },
        print: () => undefined,
      };
    },
  );
}

function report({ progress, out }: CommandContext, notice: LogNotice): void {
  if (notice.kind === "waiting") {
    const isOpen = notice.state === "Open" || notice.state === "Reopened";
    progress.update(isOpen ? "waiting for a node to take it" : "waiting for the task to start");
  } else if (notice.kind === "connected") {
    progress.clear(); // from here on the log has the terminal
    if (notice.offset === 0) out.note(out.paintNote("gray", `log from node ${shortAddress(notice.node)}`));
  } else if (notice.kind === "restarted") {
    progress.clear();
    out.note(out.paintNote("yellow", `Attempt ${notice.attempt}, on another node: its log begins anew.`));
  } else {
    out.note(out.paintNote("yellow", `${notice.error.message} Trying again.`));
  }
}
