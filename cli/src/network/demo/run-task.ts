import { setTimeout as sleep } from "node:timers/promises";
import {
  deriveTaskKey,
  type FetchedDelivery,
  fetchDelivery,
  followTaskLogs,
  type SubmittedTask,
} from "@dekuper/client";
import { createDeliveryFolder, fileCiphertext, loadTask, readTaskFile } from "@dekuper/client/node";
import { DekuperError, type LeaseStatus } from "@dekuper/protocol";
import { orderTask } from "./order-task.ts";
import type { ConsumerSession } from "./session.ts";
import { type ClusterWatch, watchAttempt } from "./watch-attempt.ts";

/** Wall-clock moments of a task's life, milliseconds since the task was created on chain. */
export interface TimelineMs {
  created: number;
  accepted: number;
  scheduled: number;
  running: number;
  completed: number;
  settled: number;
}

export interface FinishedTask {
  readonly submitted: SubmittedTask;
  readonly delivery: FetchedDelivery;
  readonly outputPath: string;
  readonly timelineMs: TimelineMs;
  readonly pod: ClusterWatch;
}

export interface RunTaskOptions {
  readonly session: ConsumerSession;
  readonly taskFile: string;
  /** Asks for no GPU, whatever the file says. */
  readonly withoutGpus?: boolean;
  /** Finds the node by quotes instead of a posted rate [false]. */
  readonly quoted?: boolean | undefined;
  /** The folder for the decrypted delivery; must not exist. */
  readonly to: string;
  /** The kubeconfig of the node that took the task. */
  readonly kubeconfigOf: (node: string) => string | undefined;
  readonly onEvent: (event: string, values?: Readonly<Record<string, string>>) => void;
  readonly onLog: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Longest wait for any one step, milliseconds. */
const STEP_TIMEOUT_MS = 180_000;
const POLL_MS = 100;
const ENDED: readonly LeaseStatus[] = ["Settled", "Cancelled", "Failed", "Expired"];

/** A consumer's whole way: plan, submit, follow, fetch, verify, approve. Fails unless the lease is settled. */
export async function runTask(options: RunTaskOptions): Promise<FinishedTask> {
  const { session, onEvent, signal } = options;
  const { market, peer, signer, key } = session;
  const token = await market.token();
  const file = await readTaskFile(options.taskFile);
  const task = await loadTask({
    path: options.taskFile,
    file: options.withoutGpus ? { ...file, resources: { ...file.resources, gpu: 0 } } : file,
    network: market.network,
    token,
    recipient: key.recipient,
    taskKey: deriveTaskKey(key),
    signal,
  });
  const path = options.quoted === true ? "quoted" : "open";
  const submitted = await orderTask({ session, task, path, onEvent, signal });
  const createdAt = Date.now();
  const since = () => Date.now() - createdAt;
  onEvent("created", { taskId: submitted.taskId, hash: submitted.hash });

  const accepted = await untilStatus(options, submitted.taskId, ["Assigned", "Running", "Completed"]);
  const timelineMs: TimelineMs = {
    created: 0,
    accepted: since(),
    scheduled: 0,
    running: 0,
    completed: 0,
    settled: 0,
  };
  onEvent("accepted", { node: accepted.node ?? "" });
  const kubeconfig = options.kubeconfigOf(accepted.node ?? "");
  if (kubeconfig === undefined)
    throw new DekuperError("INTERNAL", `No cluster of ours belongs to ${accepted.node}.`);

  const logs = printLogs(options, submitted.taskId);
  logs.catch(() => undefined); // what it rejects with is thrown where it is awaited, not before
  const pod = await watchAttempt({
    kubeconfig,
    leaseId: submitted.leaseId,
    timeoutMs: STEP_TIMEOUT_MS,
    signal,
    since,
  });
  timelineMs.scheduled = pod.scheduledMs;
  timelineMs.running = pod.runningMs;
  onEvent("running", { pod: `${pod.namespace}/${pod.podName}` });
  await untilStatus(options, submitted.taskId, ["Completed", "Settled"]);
  timelineMs.completed = since();
  onEvent("completed");
  await logs;

  const folder = await createDeliveryFolder(options.to);
  const delivery = await fetchDelivery({
    market,
    peer,
    signer,
    key,
    id: submitted.taskId,
    spec: task.spec,
    store: fileCiphertext(`${options.to}.age`),
    sink: folder.sink,
    signal,
  });
  const { output } = await folder.commit();
  onEvent("verified", { outputDigest: delivery.accepted.attestation.outputDigest });
  await market.approve(submitted.leaseId);
  await untilStatus(options, submitted.taskId, ["Settled"]);
  timelineMs.settled = since();
  onEvent("settled");
  return { submitted, delivery, outputPath: output, timelineMs, pod };
}

/** Waits until the lease is in one of the states; another final state is an error that says how it ended. */
async function untilStatus(
  { session, signal }: RunTaskOptions,
  taskId: `0x${string}`,
  wanted: readonly LeaseStatus[],
) {
  const deadline = Date.now() + STEP_TIMEOUT_MS;
  for (;;) {
    signal?.throwIfAborted();
    const { lease } = await session.market.task(taskId);
    if (wanted.includes(lease.status)) return lease;
    if (ENDED.includes(lease.status)) {
      throw new DekuperError(
        "WRONG_STATE",
        `The task ended as ${lease.status}; ${wanted.join(" or ")} was awaited.`,
        {
          details: { taskId, status: lease.status },
        },
      );
    }
    if (Date.now() > deadline) {
      throw new DekuperError(
        "TIMED_OUT",
        `The task is ${lease.status}; ${wanted.join(" or ")} was awaited for ${STEP_TIMEOUT_MS / 1000} s.`,
      );
    }
    await sleep(POLL_MS);
  }
}

async function printLogs({ session, onLog, signal }: RunTaskOptions, id: `0x${string}`): Promise<void> {
  const { market, peer, signer } = session;
  const text = new TextDecoder();
  for await (const bytes of followTaskLogs({ market, peer, signer, id, follow: true, signal })) {
    onLog(text.decode(bytes, { stream: true }));
  }
}
