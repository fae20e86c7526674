import { declineWords, type QuotedPlan, readersOf, type TaskPlan, type TokenInfo } from "@dekuper/client";
import { formatAmount, formatResources, formatSeconds, plural, shortAddress } from "./output/format.ts";
import { printFields, printSentence, printTable } from "./output/table.ts";
import type { Terminal } from "./output/terminal.ts";
import { costOf, type Planned } from "./planning.ts";

/** What a plan looks like with --json. Rates and costs are of all leases together; `posted` is by the nodes' posted rates. */
export function planJson(planned: Planned): Record<string, unknown> {
  const { task, path, plan, quoted } = planned;
  const { spec, specDigest, inputs } = task;
  const { ratePerHour, reserved, atMost, problem } = costOf(planned);
  const { leases, maxDuration, fundedSeconds, budget, lock, nodes, fitting } = plan;
  const { problem: _, ...posted } = plan;
  const chosen = (node: string) => quoted?.placements.find((placed) => placed.node === node)?.members ?? [];
  return {
    name: spec.name,
    image: spec.image,
    specDigest,
    public: spec.public,
    readers: spec.public || quoted === undefined ? null : readersOf(quoted, spec),
    resources: spec.resources,
    inputs: inputs.map(({ path, digest, source }) => ({ path, digest, size: source.size })),
    path,
    leases,
    maxDuration,
    fundedSeconds,
    budget,
    lock,
    cap: quoted?.cap ?? plan.cap,
    ratePerHour,
    reserved,
    atMost,
    nodes,
    fitting: path === "quoted" ? quoted?.offers.offers.map(({ node }) => node) : fitting,
    quotes: quoted?.offers.offers.map((offer) => ({ ...offer, chosen: chosen(offer.node) })) ?? null,
    declined: quoted?.offers.declined ?? null,
    posted,
    problem: problem?.toJSON() ?? null,
  };
}

export function printPlan(out: Terminal, token: TokenInfo, planned: Planned): void {
  const { task, plan, path, quoted } = planned;
  const { ratePerHour, reserved, atMost } = costOf(planned);
  const amount = (value: bigint | undefined) =>
    value === undefined ? undefined : formatAmount(value, token);
  const { spec, planOrder } = task;
  const inputBytes = task.inputs.reduce((sum, { source }) => sum + source.size, 0);
  const rate = amount(ratePerHour);
  const isGang = plan.leases > 1;
  const each = isGang ? `${plan.leases} nodes, each ` : "";
  const isPart = plan.fundedSeconds < plan.maxDuration;
  printFields(out, [
    ["task", out.bold(spec.name)],
    ["image", spec.image],
    ["needs", `${each}${formatResources(planOrder)}, ${spec.resources.isolation} isolation`],
    [
      "agree",
      spec.verification === "quorum"
        ? `${planOrder.threshold} of ${plan.leases} must have the same result, each on a node of another owner`
        : undefined,
    ],
    ["runs", `${formatSeconds(spec.resources.maxDuration)} at most`],
    ["inputs", task.inputs.length === 0 ? undefined : `${task.inputs.length} (${inputBytes} bytes)`],
    ["rate", rate === undefined ? undefined : `${rate} per hour${isGang ? ", all nodes together" : ""}`],
    [
      "cost",
      atMost === undefined
        ? undefined
        : `${out.bold(amount(atMost) ?? "")} at most${isPart ? "" : ", reserved until it ends"}`,
    ],
    [
      "reserved",
      isPart ? `${amount(reserved)} for the first ${formatSeconds(plan.fundedSeconds)}` : undefined,
    ],
    ["budget", amount(plan.budget)],
  ]);
  out.line();
  if (quoted !== undefined) printQuotes(out, token, quoted, isGang);
  if (path === "open") {
    if (quoted !== undefined) {
      out.line();
      out.line("Quotes do not cover the task: it is ordered at a posted rate.");
    }
    printPosted(out, token, plan);
  }
  out.line();
  printSentence(out, whoReads(planned), (line) => out.dim(line));
}

/** Who will be able to read spec and inputs. */
export function whoReads({ task, quoted }: Pick<Planned, "task" | "quoted">): string {
  const inTheClear = "The node that runs it sees everything in the clear.";
  if (task.spec.public)
    return `Public: every registered node can read this spec and its inputs. ${inTheClear}`;
  const { chosen, standbys } =
    quoted === undefined ? { chosen: [], standbys: [] } : readersOf(quoted, task.spec);
  const names = (nodes: readonly string[]) => nodes.map(shortAddress).join(", ");
  const who = [
    ...(chosen.length === 0 ? [] : [names(chosen)]),
    ...(standbys.length === 0 ? [] : [`${names(standbys)} on standby`]),
  ];
  return [
    `Private: only nodes that get the task's key can read this spec and its inputs${who.length === 0 ? "" : `, now ${who.join(", and ")}`}.`,
    "Every node that is asked for a quote sees the resources, the image's name and how large the inputs are.",
    inTheClear,
  ].join(" ");
}

function printPosted(out: Terminal, token: TokenInfo, plan: TaskPlan): void {
  printTable(
    out,
    [
      { title: "NODE" },
      { title: "ASKS/H", right: true },
      { title: "FITS" },
      { title: "WHY NOT", wraps: true },
    ],
    plan.nodes.map((node) => [
      shortAddress(node.node),
      formatAmount(node.asks, token),
      node.fits ? out.paint("green", "yes") : out.paint("red", "no"),
      node.reasons.map(({ reason, needs, has }) => `${reason}: needs ${needs}, has ${has}`).join("; "),
    ]),
  );
}

/** Who quotes what, who is chosen, and why the others do not quote. */
function printQuotes(
  out: Terminal,
  token: TokenInfo,
  { offers, placements }: QuotedPlan,
  isGang: boolean,
): void {
  const chosen = (node: string) => placements.find((placed) => placed.node === node)?.members ?? [];
  const takes = (members: number) => (isGang ? `${plural(members, "lease")}` : "yes");
  printTable(
    out,
    [
      { title: "NODE" },
      { title: "ASKS/H", right: true },
      { title: "QUOTES" },
      { title: "RESULT", wraps: true },
    ],
    [
      ...offers.offers.map(({ node, ratePerHour, members }) => [
        shortAddress(node),
        formatAmount(ratePerHour, token),
        out.paint("green", takes(members)),
        chosenInWords(chosen(node), isGang),
      ]),
      ...offers.declined.map((decline) => [
        shortAddress(decline.node),
        out.dim("-"),
        out.paint("red", "no"),
        declineWords(decline, (amount) => formatAmount(amount, token)),
      ]),
    ],
  );
}

function chosenInWords(members: readonly number[], isGang: boolean): string {
  if (members.length === 0) return "";
  if (!isGang) return "chosen";
  return `chosen for ${members.length === 1 ? "member" : "members"} ${members.join(", ")}`;
}
