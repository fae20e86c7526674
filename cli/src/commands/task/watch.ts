import { type TokenInfo, type TopUpEvent, type TopUpRules, watchTopUps } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import { readAmount } from "../../amounts.ts";
import type { CommandContext } from "../../context.ts";
import { formatAmount, formatSeconds, formatTime } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { readDuration } from "./top-up.ts";

/** Defaults, seconds: time that a top-up adds, sent so long before the funded time is over, announced so long before that. */
const STEP = 3_600;
const LEAD = 600;
const NOTICE = 600;

interface Options {
  readonly autoTopUp?: boolean;
  readonly cap?: string;
  readonly step?: number;
  readonly lead?: number;
  readonly notice?: number;
}

/** `task watch`: tops a task up by itself, within a cap, and says so before. */
export function registerTaskWatch(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("watch")
    .description("top a task up by itself before its funded time is over, within a cap and after a notice")
    .argument("<task>", "task or lease id, or its beginning")
    .option("--auto-top-up", "needed: it spends without asking again")
    .option(
      "--cap <amount>",
      "needed: the most that all top-ups of the task may reserve, those by hand included",
    )
    .option("--step <duration>", "time that a top-up adds (default: 1h)", readDuration)
    .option("--lead <duration>", "how long before the funded time is over (default: 10m)", readDuration)
    .option("--notice <duration>", "how long before that it is announced (default: 10m)", readDuration)
    .addHelpText(
      "after",
      "\nIt runs until the task is over, or funded for all of its duration. Ctrl-C stops it.",
    );
  handle<Options>(command, runtime, async (context, [text = ""], options): Promise<Answer> => {
    if (options.autoTopUp !== true || options.cap === undefined) {
      throw new DekuperError("USAGE", "--auto-top-up and --cap are needed: what may be spent by itself?", {
        hint: "Such as `dekuper task watch TASK --auto-top-up --cap 20`.",
      });
    }
    const market = await context.requireWallet("consumer");
    const { amount: cap, token } = await readAmount(market, options.cap);
    const folder = await context.folder();
    const taskId = (await market.task(await findTaskId({ text, market, folder, consumer: market.address })))
      .task.taskId;
    const rules: TopUpRules = {
      cap,
      stepSeconds: options.step ?? STEP,
      leadSeconds: options.lead ?? LEAD,
      noticeSeconds: options.notice ?? NOTICE,
    };
    await context.confirm(
      `Top ${taskId.slice(0, 10)}… up by itself, for at most ${formatAmount(cap, token)} in all?`,
    );
    context.progress.step(`watching, at most ${formatAmount(cap, token)}`);
    const events: TopUpEvent[] = [];
    const { signal } = context;
    for await (const event of watchTopUps({
      market,
      taskId,
      rules,
      memory: folder.topUps,
      pollMs: market.network.local ? 500 : 5_000,
      signal,
    })) {
      events.push(event);
      tell(context, token, event);
    }
    context.progress.clear();
    const { task } = await market.task(taskId);
    const reserved = events.reduce(
      (sum, event) => sum + (event.kind === "toppedUp" ? event.reserved : 0n),
      0n,
    );
    return {
      json: { taskId, cap, reserved, fundedSeconds: task.fundedSeconds, events },
      print: (out) => {
        printFields(out, [
          ["topped up", `${formatAmount(reserved, token)} of at most ${formatAmount(cap, token)}`],
          ["funded", `${formatSeconds(task.fundedSeconds)} of ${formatSeconds(task.maxDuration)}`],
        ]);
      },
    };
  });
}

/** On stderr as it happens: a sentence, or with --json one line of JSON. */
function tell({ out, progress }: CommandContext, token: TokenInfo, event: TopUpEvent): void {
  if (out.json) {
    const line = JSON.stringify(event, (_, value) => (typeof value === "bigint" ? value.toString() : value));
    out.streams.stderr.write(`${line}\n`);
    return;
  }
  progress.clear();
  out.note(out.paintNote(COLOURS[event.kind], sentenceOf(event, token)));
}

const COLOURS: Readonly<Record<TopUpEvent["kind"], "yellow" | "green" | "red" | "gray">> = {
  announced: "yellow",
  sending: "gray",
  toppedUp: "green",
  hindered: "red",
  pending: "yellow",
  failed: "red",
  done: "gray",
};

function sentenceOf(event: TopUpEvent, token: TokenInfo): string {
  switch (event.kind) {
    case "announced": {
      const { amount, extraSeconds, endsAt } = event.topUp;
      return `Notice: the funded time is over at ${formatTime(endsAt)}. ${formatAmount(amount, token)} for ${formatSeconds(extraSeconds)} more will be reserved at ${formatTime(event.sendAt)}; stop this command if they shall not.`;
    }
    case "sending":
      return `reserving ${formatAmount(event.topUp.amount, token)}`;
    case "toppedUp":
      return `Reserved ${formatAmount(event.reserved, token)}: the task is funded for ${formatSeconds(event.fundedSeconds)} (${event.sent.hash}).`;
    case "hindered":
      return event.by === "cap"
        ? `The cap is used up: the funded time is over at ${formatTime(event.endsAt)}. Watch again with a higher --cap, or \`dekuper task top-up\`.`
        : `Too little is free in escrow: the funded time is over at ${formatTime(event.endsAt)}. Run \`dekuper account deposit\`.`;
    case "pending":
      return "A transaction of this account is not mined yet; nothing is sent before it is.";
    case "failed":
      return `${event.error.message} Trying again.`;
    case "done":
      return event.why === "over" ? "The task is over." : "The task is funded for all of its duration.";
  }
}
