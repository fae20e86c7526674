import { attestationTypedData, type TaskDetail, type TimelineEvent } from "@dekuper/client";
import type { Network } from "@dekuper/protocol";
import { outcomes } from "@dekuper/protocol";
import type { LocalNetwork, LocalProvider } from "../state.ts";
import type { FinishedTask } from "./run-task.ts";

/** One transaction of the task's life. Gas as a decimal string. */
export interface DemoTransaction {
  readonly step: string;
  readonly actor: string;
  readonly hash: string;
  readonly gasUsed: string;
}

/** What `dekuper demo --json` prints. */
export function demoResult(
  record: LocalNetwork & { network: Network },
  finished: FinishedTask,
  detail: TaskDetail,
  heartbeats: { peers: number; received: number },
) {
  const { network } = record;
  const { deployment } = network;
  const { attestation, signature } = finished.delivery.accepted;
  const provider = providerOf(record, finished.delivery.node);
  return {
    chainId: deployment.chainId,
    rpcUrl: network.rpcUrls[0],
    contracts: {
      nodeRegistry: deployment.nodeRegistry,
      taskRegistry: deployment.taskRegistry,
      paymentEscrow: deployment.paymentEscrow,
    },
    path: finished.submitted.path,
    taskId: finished.submitted.taskId,
    leaseId: finished.submitted.leaseId,
    node: finished.delivery.node,
    kubeconfig: provider?.kubeconfig,
    namespace: finished.pod.namespace,
    podUid: finished.pod.podUid,
    image: finished.delivery.spec.image,
    outcome: outcomes[attestation.outcome],
    exitCode: attestation.exitCode,
    salt: finished.delivery.spec.salt,
    outputDigest: attestation.outputDigest,
    outputPath: finished.outputPath,
    attestation: attestationTypedData(finished.delivery.accepted, deployment),
    signature,
    transactions: transactionsOf(detail.timeline, record),
    heartbeats,
    reserved: detail.money.reserved,
    paid: detail.money.gross,
    fee: detail.money.fee,
    refunded: detail.money.released,
    timelineMs: finished.timelineMs,
  };
}

/** Registry events name the steps; the escrow's events of the same transaction are no step of their own. */
const STEPS: Readonly<Record<string, string>> = {
  TaskCreated: "createTask",
  TaskToppedUp: "topUp",
  LeaseStarted: "startLease",
  CheckpointClaimed: "checkpoint",
  LeaseCompleted: "completeLease",
  LeaseSettled: "approve",
};

/** The task's transactions in order, each with who sent it. */
export function transactionsOf(timeline: readonly TimelineEvent[], record: LocalNetwork): DemoTransaction[] {
  return timeline.flatMap((event) => {
    const step = stepOf(event, timeline);
    if (step === undefined) return [];
    return { step, actor: actorOf(event.from, record), hash: event.hash, gasUsed: event.gasUsed.toString() };
  });
}

/** On the quoted path one transaction orders and assigns: it is one step. */
function stepOf(event: TimelineEvent, timeline: readonly TimelineEvent[]): string | undefined {
  const isBeside = (name: string) => timeline.some((each) => each.name === name && each.hash === event.hash);
  if (event.name === "TaskCreated" && isBeside("LeaseAssigned")) return "createAndAward";
  if (event.name === "LeaseAssigned") {
    if (isBeside("TaskCreated")) return undefined;
    return Number(event.values.attempt) > 1 ? "takeOver" : "acceptTask";
  }
  return STEPS[event.name];
}

function actorOf(address: string, record: LocalNetwork): string {
  if (address.toLowerCase() === record.accounts.consumer.address.toLowerCase()) return "consumer";
  return providerOf(record, address)?.name ?? address;
}

export function providerOf(record: LocalNetwork, node: string): LocalProvider | undefined {
  return record.providers.find(({ operator }) => operator.address.toLowerCase() === node.toLowerCase());
}
