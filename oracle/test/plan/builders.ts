import type { Order, TaskSpec } from "@dekuper/protocol";
import type { AcceptFacts, OpenTaskFacts } from "../../src/plan/accept.ts";
import type {
  ClusterFacts,
  JournalFacts,
  LeaseFacts,
  MaterialFacts,
  NodeFacts,
} from "../../src/plan/facts.ts";
import type { QuoteAsk, QuoteFacts } from "../../src/plan/quote.ts";
import { aTaskSpec } from "../task-spec.ts";

/** Chain time at which the lease of these tests was accepted; every other time counts from it. */
export const T0 = 1_000_000;

export interface Facts {
  readonly lease: LeaseFacts;
  readonly cluster: ClusterFacts;
  readonly journal: JournalFacts;
  readonly node: NodeFacts;
  readonly material: MaterialFacts;
}

/** Accepted at T0, to start within 120 s; runs 600 s at most, 60 s to complete, 30 s of grace for outages. */
export function aLease(change: Partial<LeaseFacts> = {}): LeaseFacts {
  return {
    evidence: "readable",
    status: "Assigned",
    isMine: true,
    isConfirmed: true,
    isFinallyOver: false,
    hasKey: true,
    acceptedAt: T0,
    startDeadline: T0 + 120,
    startedAt: 0,
    lastClaimAt: 0,
    lastStep: 0,
    completeBy: 0,
    challengeEndsAt: 0,
    answerUntil: 0,
    maxSeconds: 600,
    stopReason: "cancelled",
    ballot: undefined,
    completionGrace: 60,
    outageGrace: 30,
    minCheckpointInterval: 1,
    ...change,
  };
}

export const running = (change: Partial<LeaseFacts> = {}): LeaseFacts =>
  aLease({
    status: "Running",
    startedAt: T0 + 10,
    lastClaimAt: T0 + 10,
    completeBy: T0 + 670,
    ...change,
  });

export const aJournal = (change: Partial<JournalFacts> = {}): JournalFacts => ({
  podSeen: false,
  inputsSent: false,
  stopAsked: false,
  sealed: false,
  attested: false,
  signed: false,
  hasReceipt: false,
  canReveal: false,
  keyGiven: false,
  released: false,
  tornDown: false,
  ended: false,
  podSeconds: 600,
  ...change,
});

export const aNode = (change: Partial<NodeFacts> = {}): NodeFacts => ({
  mayAct: true,
  maySign: true,
  diskFull: false,
  claimInterval: 60,
  keepFinishedPods: false,
  ...change,
});

type Pod = NonNullable<Extract<ClusterFacts, { isReachable: true }>["pod"]>;

export const aPod = (stage: Pod["stage"], isTerminating = false): ClusterFacts => ({
  isReachable: true,
  missingFor: 0,
  pod: { stage, isTerminating },
});

export const noPod = (missingFor = 0): ClusterFacts => ({ isReachable: true, missingFor });

export const unreachable: ClusterFacts = { isReachable: false };

export const ready: MaterialFacts = { kind: "ready" };

/** A lease that was just assigned to a node with nothing of it in the cluster. */
export function facts(change: Partial<Facts> = {}): Facts {
  return {
    lease: aLease(),
    cluster: noPod(),
    journal: aJournal(),
    node: aNode(),
    material: ready,
    ...change,
  };
}

/** An order for 2 vCPUs and 1 GiB, open for an hour from T0, at 2 a hour. */
export function anOrder(change: Partial<Order> = {}): Order {
  return {
    specDigest: `0x${"5e".repeat(32)}`,
    leases: 1,
    threshold: 0,
    maxAttempts: 1,
    isPrivate: false,
    gpus: 0,
    gpuModel: "",
    vCpus: 2,
    memoryMiB: 1024n,
    storageMiB: 2048n,
    isolation: 0,
    maxDuration: 600,
    fundedSeconds: 600,
    ratePerHour: 2_000_000n,
    startWindow: 120,
    failoverAfter: 120,
    openUntil: BigInt(T0 + 3600),
    verification: 0,
    ...change,
  };
}

export function aSpec(change: Partial<TaskSpec> = {}): TaskSpec {
  const image = `localhost/dekuper/busybox@sha256:${"ab".repeat(32)}`;
  return aTaskSpec({ image, ...change }, { memoryMiB: 1024, storageMiB: 2048, maxDuration: 600 });
}

/** An order that is confirmed, admitted and whose material is here. */
export function anOpenTask(change: Partial<OpenTaskFacts> = {}): OpenTaskFacts {
  return {
    order: anOrder(),
    admittedAt: T0,
    isConfirmed: true,
    material: { kind: "ready", spec: aSpec() },
    ...change,
  };
}

/** A node of the local network that asks 1 per vCPU hour, and that everything in `anOpenTask` suits. */
export function anAccepter(change: Partial<AcceptFacts> = {}): AcceptFacts {
  return {
    evidence: "readable",
    mayAct: true,
    maySign: true,
    isStopping: false,
    diskFull: false,
    clusterReachable: true,
    holdsLeaderLock: true,
    status: "Active",
    hasStake: true,
    available: { gpus: 8, vCpus: 16, memoryMiB: 65_536n },
    storageMiB: 102_400n,
    gpuModel: "NVIDIA-H100-80GB-HBM3",
    isolation: "user-namespace",
    posted: { perGpuHour: 2_000_000n, perVCpuHour: 1_000_000n },
    floor: { perGpuHour: 0n, perVCpuHour: 0n },
    imageHosts: ["registry.example"],
    isLocalNetwork: true,
    hasGasReserve: true,
    liveLeases: 0,
    maxLeases: 4,
    maxInputBytes: 1_000_000,
    ...change,
  };
}

/** The first lease of an order whose image is there. */
export function anAsk(change: Partial<QuoteAsk> = {}): QuoteAsk {
  return {
    order: anOrder(),
    image: aSpec().image,
    inputBytes: 0,
    members: 1,
    imageAnswer: { kind: "fit" },
    ...change,
  };
}

export const holdsNothing = { gpus: 0, vCpus: 0, memoryMiB: 0n, leases: 0, lock: 0n };

/** `anAccepter` that quotes too: room for 4 leases of `anOrder` and the stake of 10. */
export function aQuoter(change: Partial<QuoteFacts> = {}): QuoteFacts {
  return {
    ...anAccepter(),
    allowsQuorum: false,
    unlockedStake: 100_000_000n,
    lockBps: 2000,
    minLock: 10_000_000n,
    held: holdsNothing,
    quotesLeft: 64,
    quoteLife: 120,
    ...change,
  };
}
