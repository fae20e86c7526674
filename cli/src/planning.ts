import type { ConsumerPeer, Market, PreparedTask, TaskPlan, TokenInfo } from "@dekuper/client";
import type { CommandContext } from "./context.ts";
import { formatAmount, formatResources, formatSeconds, shortAddress } from "./output/format.ts";
import { printFields, printTable } from "./output/table.ts";
import type { Terminal } from "./output/terminal.ts";

/** A recipient for dry runs that need no key: nothing is ever encrypted to it. */
const NO_RECIPIENT = `age1${"q".repeat(58)}`;

/** A task file read, hashed and planned. */
export interface Planned {
  readonly task: PreparedTask;
  readonly plan: TaskPlan;
  readonly peer: ConsumerPeer;
}

/** Reads the task file, listens for the nodes' heartbeats and plans. */
export async function planFile(
  context: CommandContext,
  market: Market,
  path: string,
  recipient: string = NO_RECIPIENT,
): Promise<Planned> {
  const [{ listenForPresence, planTask }, { loadTask }] = await Promise.all([
    import("@dekuper/client"),
    import("@dekuper/client/node"),
  ]);
  const token = await market.token();
  context.progress.step("reading the task and hashing its inputs");
  const task = await loadTask({ path, network: market.network, token, recipient, signal: context.signal });
  context.progress.step("listening for nodes");
  const [nodes, terms, head, peer] = await Promise.all([
    market.nodes(),
    market.terms(),
    market.head(),
    context.peer(market),
  ]);
  const active = nodes.filter((node) => node.status === "Active").map((node) => node.address);
  const presence = await listenForPresence(peer, active, { signal: context.signal });
  context.progress.clear();
  const plan = planTask(task.planOrder, nodes, {
    token,
    terms,
    now: head.timestamp,
    presence,
    nowMs: Date.now(),
  });
  return { task, plan, peer };
}

/** What a plan looks like with --json. */
export function planJson({ task, plan }: Planned): Record<string, unknown> {
  const { problem, ...rest } = plan;
  const { spec, specDigest, inputs } = task;
  return {
    name: spec.name,
    image: spec.image,
    specDigest,
    resources: spec.resources,
    inputs: inputs.map(({ path, digest, source }) => ({ path, digest, size: source.size })),
    ...rest,
    problem: problem?.toJSON() ?? null,
  };
}

export function printPlan(out: Terminal, token: TokenInfo, { task, plan }: Planned): void {
  const amount = (value: bigint | undefined) =>
    value === undefined ? undefined : formatAmount(value, token);
  const { spec, planOrder } = task;
  const inputBytes = task.inputs.reduce((sum, { source }) => sum + source.size, 0);
  const rate = amount(plan.ratePerHour);
  printFields(out, [
    ["task", out.bold(spec.name)],
    ["image", spec.image],
    ["needs", `${formatResources(planOrder)}, ${spec.resources.isolation} isolation`],
    ["runs", `${formatSeconds(spec.resources.maxDuration)} at most`],
    ["inputs", task.inputs.length === 0 ? undefined : `${task.inputs.length} (${inputBytes} bytes)`],
    ["rate", rate === undefined ? undefined : `${rate} per hour`],
    [
      "cost",
      plan.atMost === undefined
        ? undefined
        : `${out.bold(amount(plan.atMost) ?? "")} at most, reserved until it ends`,
    ],
    ["budget", amount(plan.budget)],
  ]);
  out.line();
  printTable(
    out,
    [{ title: "NODE" }, { title: "ASKS/H", right: true }, { title: "FITS" }, { title: "WHY NOT" }],
    plan.nodes.map((node) => [
      shortAddress(node.node),
      formatAmount(node.asks, token),
      node.fits ? out.paint("green", "yes") : out.paint("red", "no"),
      node.reasons.map(({ reason, needs, has }) => `${reason}: needs ${needs}, has ${has}`).join("; "),
    ]),
  );
  if (spec.public) {
    out.line();
    out.line(
      out.dim(
        "Public: every registered node can read this spec and its inputs. The node that runs it sees everything in the clear.",
      ),
    );
  }
}
