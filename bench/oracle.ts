import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { taskFile } from "../test/lib/network-fixture.ts";
import { openBenchNetwork } from "./lib/bench-network.ts";
import { markdownTable, type Report } from "./lib/report.ts";

const WINDOW_MS = 30_000;
/** As many as the node has vCPUs to offer on the smallest machine. */
const LEASES = 2;

/** The oracle's memory and its calls to the Kubernetes API and the RPC, idle and with some leases running. */
export async function measureOracle(): Promise<Report> {
  const network = await openBenchNetwork();
  try {
    const provider = network.record.providers[0];
    const oracle = network.record.processes.find(({ name }) => name === `${provider?.name} oracle`);
    if (provider === undefined || oracle === undefined) throw new Error("the bench network has no oracle");
    const sample = async () => ({
      memoryMiB: residentMiB(oracle.identity.pid),
      calls: await apiCalls(provider.statusUrl),
    });
    const measure = async () => {
      const before = await sample();
      await sleep(WINDOW_MS);
      const after = await sample();
      return {
        memoryMiB: after.memoryMiB,
        apiCallsPerMinute: Math.round((after.calls - before.calls) * (60_000 / WINDOW_MS)),
      };
    };
    const idle = await measure();
    const tasks = [];
    for (let index = 0; index < LEASES; index++) {
      tasks.push(
        await network.submit(
          taskFile({ name: `load-${index}`, command: ["sh", "-c", "sleep 60"], memory: "32Mi" }),
        ),
      );
    }
    await Promise.all(tasks.map(({ taskId }) => network.untilStatus(taskId, ["Running"])));
    const loaded = await measure();
    const table = markdownTable(
      ["", "resident, MiB", "Kubernetes API calls a minute"],
      [
        ["idle", idle.memoryMiB, idle.apiCallsPerMinute],
        [`${LEASES} running leases`, loaded.memoryMiB, loaded.apiCallsPerMinute],
      ],
    );
    return { name: "oracle", title: "The oracle's appetite", table, json: { idle, loaded, leases: LEASES } };
  } finally {
    await network.stop();
  }
}

function residentMiB(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Math.round(Number(kib) / 1024);
}

/** Sum of `dekuper_cluster_requests_total` over its labels. */
async function apiCalls(statusUrl: string): Promise<number> {
  const text = await (await fetch(`${statusUrl}/metrics`)).text();
  const values = [...text.matchAll(/^dekuper_cluster_requests_total(?:\{[^}]*\})? (\d+(?:\.\d+)?)$/gm)];
  return values.reduce((sum, match) => sum + Number(match[1]), 0);
}
