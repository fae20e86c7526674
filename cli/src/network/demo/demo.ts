import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DekuperError, type Network } from "@dekuper/protocol";
import { repositoryRoot } from "../deploy.ts";
import type { Progress } from "../output.ts";
import type { LocalNetwork } from "../state.ts";
import { fetchJson } from "../status.ts";
import { demoResult, providerOf } from "./result.ts";
import { runTask } from "./run-task.ts";
import { type ConsumerSession, openSession } from "./session.ts";

export type DemoResult = ReturnType<typeof demoResult>;

/** A deposit that covers the sample task, base units: 100 dollars. */
const DEPOSIT = 100_000_000n;

/** The sample tasks in `examples/`. */
export const samples = { train: "train-mlp", hello: "hello" } as const;
export type Sample = keyof typeof samples;

/** Runs one sample task on a running local network, from deposit to settlement, and checks the result. */
export async function runDemo(
  record: LocalNetwork & { network: Network },
  options: {
    sample: Sample;
    taskFile?: string | undefined;
    /** Finds the node by quotes instead of a posted rate [false]. */
    quoted?: boolean | undefined;
    progress: Progress;
    signal?: AbortSignal | undefined;
  },
): Promise<DemoResult> {
  const { progress, signal } = options;
  const session = await openSession(record.network, record.accounts.consumer);
  try {
    const { free } = await session.market.account(session.account.address);
    if (free < DEPOSIT) await session.market.deposit(DEPOSIT - free);
    const to = join(await mkdtemp(join(tmpdir(), "dekuper-demo-")), "delivery");
    const finished = await runTask({
      session,
      taskFile: options.taskFile ?? join(repositoryRoot, "examples", samples[options.sample], "task.yaml"),
      withoutGpus: options.taskFile === undefined && !(await hasGpus(session)),
      quoted: options.quoted,
      to,
      kubeconfigOf: (node) => providerOf(record, node)?.kubeconfig,
      onEvent: (event, values = {}) => progress.done([event, ...Object.values(values)].join("  ")),
      onLog: (text) => {
        for (const line of text.trimEnd().split("\n")) progress.detail(`│ ${line}`);
      },
      signal,
    });
    const detail = await session.market.taskDetail(finished.submitted.taskId);
    const result = demoResult(record, finished, detail, await heartbeatsOf(record, finished.delivery.node));
    if (result.outcome !== "Success") {
      throw new DekuperError(
        "WRONG_STATE",
        `The sample task ended with ${result.outcome} (exit code ${result.exitCode}).`,
      );
    }
    return result;
  } finally {
    await session.peer.stop();
  }
}

/** Where no node has a GPU, the sample asks for none. */
async function hasGpus({ market }: ConsumerSession): Promise<boolean> {
  return (await market.nodes()).some(({ profile }) => profile.gpus > 0);
}

/** What the node that ran the task has heard of others. */
async function heartbeatsOf(
  record: LocalNetwork,
  node: string,
): Promise<{ peers: number; received: number }> {
  const status = await fetchJson(`${providerOf(record, node)?.statusUrl}/status`);
  const { peers = 0, received = 0 } = (status?.heartbeats ?? {}) as { peers?: number; received?: number };
  return { peers, received };
}
