import { attestationTypedData, type TaskDetail, type TimelineEvent, type TokenInfo } from "@dekuper/client";
import { outcomes } from "@dekuper/protocol";
import type { Command } from "commander";
import { type Hex, hexToString } from "viem";
import {
  formatAmount,
  formatBytes,
  formatCount,
  formatMiB,
  formatResources,
  formatSeconds,
  formatTime,
  plural,
  shortId,
} from "../../output/format.ts";
import { printFields, printTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { paintStatus } from "./list.ts";

export function registerTaskShow(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("show")
    .description("a task with its timeline, transactions and money")
    .argument("<task>", "task or lease id, or its beginning");
  handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
    const market = await context.market(undefined);
    const folder = await context.folder();
    const consumer = (await context.account("consumer"))?.address;
    const id = await findTaskId({ text, market, folder, consumer });
    const [detail, token] = await Promise.all([market.taskDetail(id), market.token()]);
    const name = (await folder.loadSpec(detail.task.taskId))?.name;
    const { deployment } = market.network;
    return {
      json: {
        name: name ?? null,
        ...detail.task,
        lease: detail.lease,
        outcome: outcomeOf(detail) ?? null,
        money: detail.money,
        attestation:
          detail.attestation === undefined
            ? null
            : {
                ...attestationTypedData(detail.attestation, deployment),
                signature: detail.attestation.signature,
              },
        timeline: detail.timeline,
        token,
      },
      print: (out) => print(out, detail, token, name),
    };
  });
}

/** How the run ended, as attested. */
export function outcomeOf({ attestation }: TaskDetail): string | undefined {
  return attestation === undefined ? undefined : (outcomes[attestation.attestation.outcome] ?? "unknown");
}

function print(out: Terminal, detail: TaskDetail, token: TokenInfo, name: string | undefined): void {
  const { task, lease, money, attestation } = detail;
  const amount = (value: bigint) => formatAmount(value, token);
  const outcome = outcomeOf(detail);
  const exit = attestation === undefined ? "" : ` (exit code ${attestation.attestation.exitCode})`;
  printFields(out, [
    ["task", out.bold(task.taskId)],
    ["lease", lease.leaseId],
    ["name", name],
    ["status", `${paintStatus(out, lease.status)}${outcome === undefined ? "" : `, ${outcome}${exit}`}`],
    ["consumer", task.consumer],
    ["node", lease.node],
    [
      "needs",
      `${formatResources(task.capacity)}, ${formatMiB(task.storageMiB)} storage, ${task.isolation} isolation`,
    ],
    ["runs", `${formatSeconds(task.maxDuration)} at most`],
    ["rate", `${amount(task.ratePerHour)} per hour`],
    ["open until", lease.status === "Open" ? formatTime(task.openUntil) : undefined],
    ["window ends", lease.status === "Completed" ? formatTime(lease.challengeEndsAt) : undefined],
    [
      "output",
      attestation === undefined
        ? undefined
        : `${formatBytes(attestation.attestation.ciphertextSize)}, kept until ${formatTime(attestation.attestation.retainUntil)}`,
    ],
  ]);
  out.line();
  printTable(
    out,
    [
      { title: "TIME" },
      { title: "EVENT" },
      { title: "" },
      { title: "BLOCK", right: true },
      { title: "GAS", right: true },
      { title: "TRANSACTION" },
    ],
    detail.timeline.map((event, index) => {
      // The gas is the transaction's: it stands once, at its first event.
      const first = detail.timeline.findIndex(({ hash }) => hash === event.hash) === index;
      return [
        formatTime(event.time),
        event.name,
        describe(event, amount),
        String(event.block),
        first ? formatCount(event.gasUsed) : "",
        first ? event.hash : out.dim('  "'),
      ];
    }),
  );
  out.line();
  printFields(out, [
    ["reserved", amount(money.reserved)],
    payOf(detail, amount),
    ["returned", amount(money.released)],
  ]);
  out.next(...nextSteps(detail));
}

/** What was paid, or is due once the window has ended. */
function payOf({ task, lease, money }: TaskDetail, amount: (value: bigint) => string): [string, string] {
  const ran = formatSeconds(Number(lease.billedSeconds));
  if (lease.status === "Completed") {
    const due = (task.ratePerHour * lease.billedSeconds) / 3600n;
    return ["due", `${amount(due)} for ${ran}, when the window ends or you approve`];
  }
  if (lease.billedSeconds === 0n) return ["paid", amount(money.gross)];
  return ["paid", `${amount(money.gross)} for ${ran}, of which ${amount(money.fee)} are fee`];
}

/** What decided, in a few words. */
function describe(event: TimelineEvent, amount: (value: bigint) => string): string {
  const { values } = event;
  switch (event.name) {
    case "Reserved":
    case "Released":
    case "StakeLocked":
    case "StakeUnlocked":
      return amount(values.amount as bigint);
    case "Paid":
      return `${amount(values.gross as bigint)} for ${plural(Number(values.billedSeconds), "second")}`;
    case "LeaseAssigned":
      return `to ${shortId(String(values.node))}`;
    case "CheckpointClaimed":
      return `step ${values.step}`;
    case "LeaseCompleted":
      return outcomes[(values.attestation as { outcome: number }).outcome] ?? "";
    case "LeaseFailed":
      return hexToString(values.reason as Hex, { size: 32 });
    default:
      return "";
  }
}

function nextSteps({ task, lease }: TaskDetail): string[] {
  const id = shortId(task.taskId).slice(0, -1);
  switch (lease.status) {
    case "Open":
    case "Assigned":
    case "Running":
    case "Stopping":
      return [`dekuper task logs ${id} -f`, `dekuper task cancel ${id}`];
    case "Completed":
      return [`dekuper task fetch ${id}`, `dekuper task approve ${id}`];
    case "Settled":
      return [`dekuper task fetch ${id}`];
    default:
      return [];
  }
}
