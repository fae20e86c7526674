import { transactionsOf } from "../cli/src/network/demo/result.ts";
import { taskFile } from "../test/lib/network-fixture.ts";
import { openBenchNetwork } from "./lib/bench-network.ts";
import { markdownTable, type Report } from "./lib/report.ts";

/** Gas of every step of one lease's life on a real chain, sent by real oracles. The second life is taken: the first pays for fresh storage of its accounts. */
export async function measureGas(): Promise<Report> {
  const network = await openBenchNetwork();
  try {
    const lives = [];
    for (const _ of [1, 2]) {
      const { taskId, leaseId } = await network.submit(
        taskFile({ command: ["sh", "-c", "sleep 7; echo done"] }),
      );
      await network.untilStatus(taskId, ["Completed"]);
      await network.session.market.approve(leaseId);
      const detail = await network.untilDetail(taskId, (found) => found.lease.status === "Settled");
      lives.push(transactionsOf(detail.timeline, network.record));
    }
    const life = lives.at(-1) ?? [];
    const steps: Record<string, number> = {};
    for (const { step, gasUsed } of life) steps[step] ??= Number(gasUsed);
    const total = Object.values(steps).reduce((sum, gas) => sum + gas, 0);
    const rows = Object.entries(steps).map(([step, gas]) => [`\`${step}\``, gas.toLocaleString("en")]);
    const table = markdownTable(["step", "gas"], [...rows, ["one life", total.toLocaleString("en")]]);
    return {
      name: "gas",
      title: "Gas",
      table: `${table}\n\nOne lease on the open path, with one checkpoint claim. The contracts' own snapshot is in \`contracts/gas-snapshot.json\`.`,
      json: { steps, life: total },
    };
  } finally {
    await network.stop();
  }
}
