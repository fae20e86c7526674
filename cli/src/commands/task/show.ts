import {
  attestationTypedData,
  type KeyHolder,
  keyGrantsIn,
  type LeaseDetail,
  readKeyHolders,
  type TaskDetail,
  type TokenInfo,
} from "@dekuper/client";
import { outcomes } from "@dekuper/protocol";
import type { Command } from "commander";
import {
  formatAmount,
  formatBytes,
  formatMiB,
  formatResources,
  formatSeconds,
  formatTime,
  shortAddress,
  shortId,
} from "../../output/format.ts";
import { printFields, printTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { dueOf, paintState, stateInWords } from "./states.ts";
import { printTimeline } from "./timeline.ts";

export function registerTaskShow(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("show")
    .description("a task with its leases, timeline, transactions and money")
    .argument("<task>", "task or lease id, or its beginning");
  handle(command, runtime, async (context, [text = ""]): Promise<Answer> => {
    const market = await context.market(undefined);
    const folder = await context.folder();
    const consumer = (await context.account("consumer"))?.address;
    const id = await findTaskId({ text, market, folder, consumer });
    const [detail, token] = await Promise.all([market.taskDetail(id), market.token()]);
    const holders = await readKeyHolders(market, detail.task.taskId, keyGrantsIn(detail.timeline));
    const name = (await folder.loadSpec(detail.task.taskId))?.name;
    const { deployment } = market.network;
    const signed = ({ attestation: accepted, ...lease }: LeaseDetail) => ({
      ...lease,
      outcome: outcomeOf({ attestation: accepted }) ?? null,
      attestation:
        accepted === undefined
          ? null
          : { ...attestationTypedData(accepted, deployment), signature: accepted.signature },
    });
    const { attestation, outcome, ...lease } = signed(detail.lease);
    return {
      json: {
        name: name ?? null,
        ...detail.task,
        state: detail.state,
        lease,
        outcome,
        leases: detail.leases.map(signed),
        gang: detail.gang ?? null,
        ballot: detail.ballot ?? null,
        keyHolders: holders,
        money: detail.money,
        attestation,
        timeline: detail.timeline,
        token,
      },
      print: (out) => print(out, detail, token, name, holders),
    };
  });
}

/** How the run ended, as attested. */
export function outcomeOf({ attestation }: Pick<LeaseDetail, "attestation">): string | undefined {
  return attestation === undefined ? undefined : (outcomes[attestation.attestation.outcome] ?? "unknown");
}

function print(
  out: Terminal,
  detail: TaskDetail,
  token: TokenInfo,
  name: string | undefined,
  holders: readonly KeyHolder[],
): void {
  const { task, lease, leases, money } = detail;
  const amount = (value: bigint) => formatAmount(value, token);
  const isGang = leases.length > 1;
  const each = isGang ? `${leases.length} nodes, each ` : "";
  const funded =
    task.fundedSeconds === task.maxDuration
      ? ""
      : `, funded for ${formatSeconds(task.fundedSeconds)} (dekuper task top-up)`;
  printFields(out, [
    ["task", out.bold(task.taskId)],
    ["lease", isGang ? undefined : lease.leaseId],
    ["name", name],
    ["status", isGang ? paintState(out, detail.state, gangState(detail)) : leaseState(out, lease)],
    ["agree", agreeOf(detail)],
    ["consumer", task.consumer],
    ["node", isGang ? undefined : lease.node],
    ["attempt", isGang || lease.attempt < 2 ? undefined : attemptsOf(lease, task.maxAttempts)],
    [
      "needs",
      `${each}${formatResources(task.capacity)}, ${formatMiB(task.storageMiB)} storage, ${task.isolation} isolation`,
    ],
    ["keys", keysOf(detail, holders)],
    ["runs", out.typed(`${formatSeconds(task.maxDuration)} at most${funded}`)],
    ["rate", `${amount(leases.reduce((sum, { ratePerHour }) => sum + ratePerHour, 0n))} per hour`],
    isGang ? nextOf(leases) : (dueOf(lease) ?? ["", undefined]),
    ["claim", isGang ? undefined : claimOf(lease, amount)],
    ["output", isGang ? undefined : outputOf(lease)],
  ]);
  if (isGang) {
    out.line();
    printMembers(out, detail, amount);
  }
  out.line();
  printTimeline(out, detail, amount);
  out.line();
  printFields(out, [
    ["reserved", amount(money.reserved)],
    payOf(detail, amount),
    ["returned", amount(money.released)],
  ]);
  out.next(...nextSteps(detail));
}

function gangState({ state, leases }: TaskDetail): string {
  const alike = leases.filter((lease) => lease.state === state).length;
  return `${stateInWords(state)}, ${alike} of ${leases.length}`;
}

/** How a quorum's vote stands. */
function agreeOf({ task, ballot }: TaskDetail): string | undefined {
  if (ballot === undefined) return undefined;
  const wanted = `${task.threshold} of ${task.leaseCount} must have the same result`;
  if (ballot.isTallied) return `${wanted}: ${ballot.hasWinner ? "they have" : "no so many have"}`;
  return `${wanted}; ${ballot.committed} sealed, ${ballot.revealed} open`;
}

/** Who can read a private task, and take a lease over. */
function keysOf({ task }: TaskDetail, holders: readonly KeyHolder[]): string | undefined {
  if (!task.isPrivate) return undefined;
  const each = holders.map(({ node, isCurrent, status }) => {
    if (status === "Retired") return `${shortAddress(node)} (retired)`;
    return isCurrent ? shortAddress(node) : `${shortAddress(node)} (for an older encryption key)`;
  });
  return each.length === 0 ? "no node has the task's key" : each.join(", ");
}

/** Of a gang's deadlines the one that passes first. */
function nextOf(leases: readonly LeaseDetail[]): readonly [string, string | undefined] {
  const [first] = leases
    .filter(({ due }) => due !== undefined)
    .sort((one, other) => Number((one.due?.at ?? 0n) - (other.due?.at ?? 0n)));
  const [what, at] = (first && dueOf(first)) ?? ["", undefined];
  return ["next", at === undefined ? undefined : `member ${first?.index} ${what} ${at}`];
}

function leaseState(out: Terminal, lease: LeaseDetail): string {
  const outcome = outcomeOf(lease);
  const exit =
    lease.attestation === undefined ? "" : ` (exit code ${lease.attestation.attestation.exitCode})`;
  const ended = outcome === undefined ? "" : `, ${outcome}${exit}`;
  return `${paintState(out, lease.state, stateInWords(lease.state))}${ended}`;
}

function attemptsOf({ attempt, attempts }: LeaseDetail, most: number): string {
  const lost = attempts.filter(({ lostAt }) => lostAt !== undefined).map(({ node }) => shortAddress(node));
  return `${attempt} of ${most}${lost.length === 0 ? "" : `, lost by ${lost.join(", ")}`}`;
}

function outputOf({ attestation }: LeaseDetail): string | undefined {
  if (attestation === undefined) return undefined;
  const { ciphertextSize, retainUntil } = attestation.attestation;
  return `${formatBytes(ciphertextSize)}, kept until ${formatTime(retainUntil)}`;
}

/** What the consumer has claimed and put at risk, and who decides. */
function claimOf({ claim }: LeaseDetail, amount: (value: bigint) => string): string | undefined {
  if (claim === undefined) return undefined;
  const raised = `not delivered, raised ${formatTime(claim.claimedAt)} with a bond of ${amount(claim.bond)}`;
  return `${raised}; answered by your receipt, or by attesters who try to fetch it`;
}

/** One line for each lease of a gang. */
function printMembers(out: Terminal, { task, leases }: TaskDetail, amount: (value: bigint) => string): void {
  printTable(
    out,
    [
      { title: "MEMBER", right: true },
      { title: "NODE" },
      { title: "ATTEMPT", spare: 2 },
      { title: "STATE" },
      { title: "RATE/H", right: true, spare: 3 },
      { title: "RAN", right: true, spare: 1 },
      { title: "PAID", right: true, spare: 4 },
      { title: "LEASE", spare: 5 },
    ],
    leases.map((lease) => [
      String(lease.index),
      lease.node === undefined ? out.dim("-") : shortAddress(lease.node),
      `${lease.attempt} of ${task.maxAttempts}`,
      leaseState(out, lease),
      amount(lease.ratePerHour),
      lease.billedSeconds === 0n ? out.dim("-") : formatSeconds(Number(lease.billedSeconds)),
      amount(lease.pay.gross),
      lease.leaseId,
    ]),
  );
}

/** What was paid, or is due once the window has ended. */
function payOf({ leases, money }: TaskDetail, amount: (value: bigint) => string): [string, string] {
  const waiting = leases.filter(({ status }) => status === "Completed" || status === "Disputed");
  const down =
    money.downSeconds === 0n ? "" : ` (${formatSeconds(Number(money.downSeconds))} offline are not paid)`;
  if (waiting.length > 0) {
    const due = waiting.reduce((sum, each) => sum + (each.ratePerHour * each.billedSeconds) / 3600n, 0n);
    const ran = formatSeconds(Number(waiting.reduce((sum, each) => sum + each.billedSeconds, 0n)));
    const paid = money.gross === 0n ? "" : `; ${amount(money.gross)} paid so far`;
    const isDisputed = waiting.every(({ status }) => status === "Disputed");
    const when = isDisputed
      ? "once the claim is answered or lapses; nothing where attesters cannot fetch the output"
      : "when the window ends or you approve";
    return ["due", `${amount(due)} for ${ran}, ${when}${paid}`];
  }
  if (money.ranSeconds === 0n) return ["paid", amount(money.gross)];
  const ran = formatSeconds(Number(money.billedSeconds));
  return ["paid", `${amount(money.gross)} for ${ran}, of which ${amount(money.fee)} are fee${down}`];
}

function nextSteps({ task, leases, state, ballot }: TaskDetail): string[] {
  const id = shortId(task.taskId).slice(0, -1);
  const canTopUp = task.fundedSeconds < task.maxDuration;
  switch (state) {
    case "Open":
    case "Reopened":
    case "AwaitingKey":
    case "Assigned":
    case "Waiting":
    case "Interrupted":
    case "Running":
    case "Stopping":
      return [
        ...(ballot === undefined ? [`dekuper task logs ${id} -f`] : []), // replicas show none while they run
        ...(canTopUp && state !== "Stopping" ? [`dekuper task top-up ${id}`] : []),
        // Who may take the lease over is whoever can read the task.
        ...(task.isPrivate && state === "Reopened" ? [`dekuper task hand-key ${id} NODE`] : []),
        `dekuper task cancel ${id}`,
      ];
    case "Disputed":
      return [`dekuper task fetch ${id}`, `dekuper task lapse-claim ${id}`];
    case "Completed":
      return [`dekuper task fetch ${id}`, `dekuper task approve ${id}`];
    default:
      return leases.some(({ status }) => status === "Settled") ? [`dekuper task fetch ${id}`] : [];
  }
}
