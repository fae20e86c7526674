import { readFile } from "node:fs/promises";
import { type Gang, MEMBERS, measureGang } from "./gas/gang.ts";
import { grouped, total } from "./gas/gas-used.ts";
import { type LivenessCost, measureLiveness, type ReportCost, SEATS } from "./gas/liveness.ts";
import { type Lives, measureLives, type Steps } from "./gas/lives.ts";
import type { PocoLives } from "./gas/poco-life.ts";
import { markdownTable, type Report } from "./lib/report.ts";

type Poco = PocoLives & { readonly package: string };

/** Gas of the contracts on a chain within this process: a lease's life beside iExec's, a gang's, and a liveness report's. */
export async function measureGas(): Promise<Report> {
  const poco: Poco = JSON.parse(await readFile(new URL("./gas/poco.json", import.meta.url), "utf8"));
  const lives = await measureLives();
  const gang = await measureGang();
  const liveness = await measureLiveness();
  return {
    name: "gas",
    title: "Gas",
    table: [livesSection(lives, poco), gangSection(gang), livenessSection(liveness)].join("\n\n"),
    json: { lives, poco, gang, liveness },
  };
}

function livesSection(lives: Lives, poco: Poco): string {
  const { quoted, open } = lives;
  const columns = [quoted, open, poco.withReveal, poco.contributeAndFinalize];
  const phases = {
    agreement: ["createAndAward", "createTask", "acceptTask", "matchOrders", "initialize"],
    start: ["startLease"],
    result: ["completeLease", "contribute", "reveal", "contributeAndFinalize"],
    payment: ["approve", "finalize"],
  };
  const cell = (steps: Steps, names: readonly string[]) =>
    names
      .flatMap((name) => (name in steps ? [`\`${name}\` ${grouped(steps[name] ?? 0)}`] : []))
      .join("<br>") || "–";
  const table = markdownTable(
    ["", "quoted path", "open path", "iExec PoCo", "iExec PoCo, without reveal"],
    [
      ...Object.entries(phases).map(([phase, names]) => [
        phase,
        ...columns.map((steps) => cell(steps, names)),
      ]),
      ["one life", ...columns.map((steps) => grouped(total(steps)))],
      ["transactions", ...columns.map((steps) => Object.keys(steps).length)],
    ],
  );
  const saved = (steps: Steps) => `${Math.round(100 * (1 - total(quoted) / total(steps)))} %`;
  return `### One lease

${table}

The second life of the same accounts. The consumer sends one transaction before the result, \`createAndAward\` or \`createTask\`. Where it says nothing, anyone settles in place of \`approve\` for ${grouped(lives.settle)}; a checkpoint claim, as often as the provider likes, costs ${grouped(lives.checkpoint)}.

iExec's figures are our own measurement of \`${poco.package}\` as its npm package has it compiled, the Diamond with its facets and registries on the same kind of chain: one task, one worker, a trust of 1, no dataset, the app's order standing, parameters of 22 bytes, a result of 32. Kept in \`bench/gas/poco.json\`; to repeat it: \`npm pack ${poco.package}\`, unpack, \`node bench/poco.ts FOLDER\`. The quoted path's life costs ${saved(poco.withReveal)} less than PoCo's with reveal and ${saved(poco.contributeAndFinalize)} less than without. What they do differs: PoCo can hold several workers to one result and pays a price per task; a lease is paid by the second and says when it started. A PoCo deal of many tasks pays \`matchOrders\` once.`;
}

function gangSection(gang: Gang): string {
  const { loss } = gang;
  const rows: [string, number][] = [
    ["`createAndAward`", gang.createAndAward],
    [`\`startLease\`, each of the first ${MEMBERS - 1}`, gang.startMost],
    ["`startLease`, the last: the clock starts", gang.startLast],
    ["`completeLease`, each", gang.complete],
    ["`approve`, each", gang.approve],
    ["one life", gang.life],
    ["one life, per lease", gang.perLease],
    ["`failLease` of a member: the clock stops", loss.failLease],
    ["`takeOver` by another node", loss.takeOver],
    [`\`startLease\` of the replacement: standby paid to ${MEMBERS - 1}`, loss.startReplacement],
  ];
  const table = markdownTable(
    ["step", "gas"],
    rows.map(([step, gas]) => [step, grouped(gas)]),
  );
  return `### A gang of ${MEMBERS}\n\n${table}\n\nThe life is the second gang's on the same ${MEMBERS} nodes; the loss happened to the first and is not in it.`;
}

function livenessSection({ byNodes, byChanges, firstFit, fit, signatures }: LivenessCost): string {
  const table = (costs: readonly ReportCost[]) =>
    markdownTable(
      ["registered nodes", "changes", "offline, never named before", "online again", "offline again"],
      costs.map(({ nodes, changes, firstOffline, online, offline }) =>
        [nodes, changes, firstOffline, online, offline].map(grouped),
      ),
    );
  return `### A liveness report

${table(byNodes)}

${table(byChanges)}

gas = ${grouped(fit.a)} + ${grouped(fit.b)} × changes where nodes go offline again, ${grouped(firstFit.a)} + ${grouped(firstFit.b)} × changes where no report has named them before: least squares over the second table, at most ${grouped(Math.max(fit.worst, firstFit.worst))} from a measured point. The number of registered nodes is not in it. Every node is registered in NodeRegistry by its own signature, beside the committee's ${SEATS}; each report has ${signatures} of their signatures.`;
}
