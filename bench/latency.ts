import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultCacheDir, ensureBinaries } from "@dekuper/kubernetes";
import { type NetworkFixture, taskFile } from "../test/lib/network-fixture.ts";
import { openBenchNetwork } from "./lib/bench-network.ts";
import { PodStarts } from "./lib/pod-starts.ts";
import { markdownTable, quantile, type Report } from "./lib/report.ts";

const COMMAND = ["sh", "-c", "sleep 1"];

/**
 * Order to running: from the block that holds createTask (its receipt) to the main container running, beside
 * `kubectl create` of a Job with the same image, command, resources and security context in a namespace that exists,
 * without our helpers. Runs of both alternate; images are on the node.
 */
export async function measureLatency(runs: number): Promise<Report> {
  const network = await openBenchNetwork();
  const provider = network.record.providers[0];
  if (provider === undefined) throw new Error("the bench network has no provider");
  const starts = new PodStarts(provider.kubeconfig);
  try {
    await starts.start();
    const kubectl = await openKubectl(provider.kubeconfig);
    await kubectl(["create", "namespace", "bare"]);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let run = 0; run <= runs; run++) {
      const pair = [
        await runOurs(network, starts),
        await runBare(kubectl, starts, run, network.record.network.images.busybox ?? ""),
      ];
      if (run === 0) continue; // the first of each warms caches up
      ours.push(pair[0] ?? Number.NaN);
      bare.push(pair[1] ?? Number.NaN);
      process.stderr.write(
        `run ${run}/${runs}: ours ${Math.round(ours.at(-1) ?? 0)} ms, bare ${Math.round(bare.at(-1) ?? 0)} ms\n`,
      );
    }
    return report(ours, bare);
  } finally {
    starts.stop();
    await network.stop();
  }
}

async function runOurs(network: NetworkFixture, starts: PodStarts): Promise<number> {
  const { session } = network;
  const submitted = await network.submit(taskFile({ command: COMMAND }));
  const mined = submitted.seenAt;
  const key = [...network.labelOf(submitted.leaseId)].join("");
  const running = await starts.startOf(key);
  await network.untilStatus(submitted.taskId, ["Completed"]);
  await session.market.approve(submitted.leaseId);
  return running - mined;
}

type Kubectl = (args: readonly string[], input?: string) => Promise<void>;

async function runBare(kubectl: Kubectl, starts: PodStarts, run: number, image: string): Promise<number> {
  const began = performance.now();
  await kubectl(["create", "-f", "-"], JSON.stringify(bareJob(`bare-${run}`, image)));
  const running = await starts.startOf(`bare-${run}`);
  await sleep(1_500);
  return running - began;
}

function bareJob(name: string, image: string) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "bare" },
    spec: {
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: "Never",
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          hostUsers: false,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            runAsGroup: 1000,
            seccompProfile: { type: "RuntimeDefault" },
          },
          containers: [
            {
              name: "main",
              image,
              command: COMMAND,
              securityContext: {
                allowPrivilegeEscalation: false,
                capabilities: { drop: ["ALL"] },
                readOnlyRootFilesystem: true,
              },
              resources: { requests: { cpu: "100m", memory: "64Mi" }, limits: { cpu: "1", memory: "64Mi" } },
            },
          ],
        },
      },
    },
  };
}

async function openKubectl(kubeconfig: string): Promise<Kubectl> {
  const bin = await ensureBinaries({ cacheDir: defaultCacheDir() });
  return async (args, input = "") => {
    const child = spawn(`${bin}/kubectl`, ["--kubeconfig", kubeconfig, ...args], {
      stdio: ["pipe", "ignore", "inherit"],
    });
    child.stdin.end(input);
    const code = await new Promise<number | null>((resolve, reject) =>
      child.once("error", reject).once("close", resolve),
    );
    if (code !== 0) throw new Error(`kubectl ${args.join(" ")} failed with ${code}`);
  };
}

function report(ours: readonly number[], bare: readonly number[]): Report {
  const figures = (values: readonly number[]) => ({
    p50Ms: quantile(values, 0.5),
    p95Ms: quantile(values, 0.95),
  });
  const json = { runs: ours.length, ours: figures(ours), bare: figures(bare) };
  const table = markdownTable(
    ["", "p50, ms", "p95, ms"],
    [
      ["createTask mined → container running", json.ours.p50Ms, json.ours.p95Ms],
      ["`kubectl create` of the same Job → container running", json.bare.p50Ms, json.bare.p95Ms],
      ["difference", json.ours.p50Ms - json.bare.p50Ms, json.ours.p95Ms - json.bare.p95Ms],
    ],
  );
  const note = `${json.runs} runs of each, alternating, blocks of one second, one confirmation. Ours includes the accept transaction, the namespace with its policies and quota, and the helper.`;
  return { name: "latency", title: "Order to running", table: `${table}\n\n${note}`, json };
}
