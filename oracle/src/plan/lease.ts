import type { ClusterFacts, JournalFacts, LeaseFacts, MaterialFacts, NodeFacts } from "./facts.ts";
import {
  act,
  done,
  type FailReason,
  type LeaseAction,
  margin,
  type Plan,
  type Seconds,
  type StopCause,
  unfitReason,
  wait,
} from "./plan.ts";
import { owesKey, planCommitted, planTally } from "./quorum.ts";

const ENDED: ReadonlySet<LeaseFacts["status"]> = new Set(["Settled", "Cancelled", "Failed", "Expired"]);

/** How long a pod must be missing before its lease is given up. */
export const MISSING_SECONDS = 5;

interface Facts {
  readonly lease: LeaseFacts;
  readonly cluster: ClusterFacts;
  readonly journal: JournalFacts;
  readonly node: NodeFacts;
  readonly material: MaterialFacts;
}

/**
 * Decides the next safe step for one lease attempt. Pure and level-triggered: it looks at what is, not at what happened,
 * so that any crash between two steps leads back here.
 */
export function planLease(facts: Facts, now: Seconds): Plan {
  const { lease, node, journal } = facts;
  if (!node.mayAct) return wait("read-only");
  if (lease.evidence === "unreadable") return planBlind(facts);
  if (journal.ended) return planEnded(facts);
  if (owesKey(lease, journal) && !node.diskFull) return act({ kind: "giveKey" });
  if (ENDED.has(lease.status) || (lease.isFinallyOver && !lease.isMine))
    return lease.isFinallyOver ? planEnded(facts) : wait("finality");
  if (!lease.isMine) return wait("not-mine");
  switch (lease.status) {
    case "Assigned":
      return planAssigned(facts, now);
    case "Running":
    case "Stopping":
      return planRunning(facts, now);
    case "Committed":
    case "Revealed":
      return planVote(facts, now);
    case "Completed":
      return planCompleted(facts, now);
    case "Disputed":
      return planDisputed(facts, now);
    default:
      return wait("not-mine");
  }
}

/** Unreadable is not absent: what runs goes on, and an ended run's output may be brought to safety, nothing else. */
function planBlind({ lease, cluster, journal, node }: Facts): Plan {
  if (journal.ended) return journal.tornDown ? done : wait("chain-unreadable");
  const isRunning = lease.isMine && (lease.status === "Running" || lease.status === "Stopping");
  const isExited = cluster.isReachable && cluster.pod?.stage === "exited";
  if (isRunning && isExited && !journal.sealed && !node.diskFull)
    return act({ kind: "seal", stopped: stopCause(lease, journal) });
  return wait("chain-unreadable");
}

/** The end is final: the namespace goes, and stays gone. */
function planEnded({ cluster, journal, node }: Facts): Plan {
  if (journal.tornDown) return done;
  if (!cluster.isReachable) return wait("cluster-unreachable");
  if (!node.keepFinishedPods || !journal.sealed) return act({ kind: "tearDown" });
  const { pod, missingFor } = cluster;
  if (journal.released || pod?.stage === "gone" || missingFor > MISSING_SECONDS) return done;
  return pod?.stage === "exited" ? act({ kind: "release" }) : wait("pod-missing");
}

function planAssigned(facts: Facts, now: Seconds): Plan {
  const { startDeadline } = facts.lease;
  if (now > startDeadline) return planOverdue(facts, startDeadline, now);
  return atLatest(planStart(facts, now), startDeadline + 1);
}

/** Nobody but the clock decides now: anyone may enforce, and the node does it for its stake. */
function planOverdue({ lease, node }: Facts, deadline: Seconds, now: Seconds): Plan {
  const enforceableAt = deadline + lease.outageGrace + 1;
  if (now < enforceableAt) return wait("enforceable", enforceableAt);
  return node.maySign ? act({ kind: "expire" }) : wait("signing-stopped");
}

function planStart(facts: Facts, now: Seconds): Plan {
  const { lease, cluster, journal, node } = facts;
  if (!lease.isConfirmed) return wait("confirmations");
  if (!lease.hasKey) return wait("key");
  if (!cluster.isReachable) return wait("cluster-unreachable");
  const { pod } = cluster;
  if (pod === undefined) {
    if (journal.podSeen) return planMissing(node, cluster.missingFor, "PodGoneBeforeStart", now);
    return node.diskFull ? wait("disk-full") : planMaterial(facts, now);
  }
  if (pod.isTerminating) return journal.podSeen ? fail(node, "PodGoneBeforeStart") : wait("terminating");
  switch (pod.stage) {
    case "pending":
    case "awaiting-inputs": {
      const giveUpAt = giveUpStartAt(lease);
      if (now >= giveUpAt) return fail(node, "NotStartedInTime");
      if (pod.stage === "awaiting-inputs") return act({ kind: "sendInputs" });
      return wait("pod-pending", giveUpAt);
    }
    case "running":
    case "exited":
      return node.maySign ? act({ kind: "startLease" }) : wait("signing-stopped");
    case "gone":
      return fail(node, "PodGoneBeforeStart");
  }
}

/** What was accepted was looked at before; what was awarded is looked at now, and given back at once where it cannot run. */
function planMaterial({ lease, material, node }: Facts, now: Seconds): Plan {
  const giveUpAt = giveUpStartAt(lease);
  switch (material.kind) {
    case "unknown":
      return act({ kind: "fetchMaterial" });
    case "missing":
      if (now >= giveUpAt) return fail(node, "MaterialMissing");
      if (now >= material.retryAt) return act({ kind: "fetchMaterial" });
      return wait("material-missing", Math.min(material.retryAt, giveUpAt));
    case "unfit":
      return fail(node, unfitReason(material.problem));
    case "ready":
      return act({ kind: "ensureAttempt" });
  }
}

function giveUpStartAt({ startDeadline, acceptedAt }: LeaseFacts): Seconds {
  return startDeadline - margin(startDeadline - acceptedAt);
}

function planRunning(facts: Facts, now: Seconds): Plan {
  const { completeBy } = facts.lease;
  if (now > completeBy) return planOverdue(facts, completeBy, now);
  return atLatest(planRun(facts, completeBy, now), completeBy + 1);
}

function planRun(facts: Facts, completeBy: Seconds, now: Seconds): Plan {
  const { lease, cluster, journal, node } = facts;
  if (journal.attested) {
    if (!node.maySign) return wait("signing-stopped");
    // A replica that the consumer has stopped has nobody to agree with.
    return act({ kind: lease.ballot !== undefined && lease.status === "Running" ? "commit" : "complete" });
  }
  if (journal.sealed) return node.maySign ? act({ kind: "attest" }) : wait("signing-stopped");
  if (!cluster.isReachable) return wait("cluster-unreachable");
  const { pod } = cluster;
  if (pod === undefined) return planMissing(node, cluster.missingFor, "PodGone", now);
  if (pod.isTerminating && pod.stage !== "exited") return fail(node, "PodGone");
  switch (pod.stage) {
    case "gone":
    case "pending":
    case "awaiting-inputs":
      // The main container ran when the lease was started; it cannot wait again unless it was replaced.
      return fail(node, "PodGone");
    case "running":
      return planMain(facts, now);
    case "exited": {
      const giveUpAt = completeBy - margin(lease.completionGrace);
      if (now >= giveUpAt) return fail(node, "OutputUnreadable");
      if (node.diskFull) return wait("disk-full", giveUpAt);
      return act({ kind: "seal", stopped: stopCause(lease, journal) });
    }
  }
}

/** The main container runs: stop it, claim, give it more time, or let it run. */
function planMain({ lease, journal, node }: Facts, now: Seconds): Plan {
  if (lease.status === "Stopping") return act({ kind: "stopMain" });
  const paidUntil = lease.completeBy - lease.completionGrace;
  const overAt = paidUntil + margin(lease.completionGrace);
  // The wrapper ends it by itself when its time is over; this is for a wrapper that does not, and for a gang that has waited.
  if (now >= overAt) return act({ kind: "stopMain" });
  if (!node.maySign) return wait("signing-stopped", overAt);
  const interval = Math.max(node.claimInterval, lease.minCheckpointInterval);
  const claimAt = Math.max(lease.lastClaimAt, lease.startedAt) + interval;
  if (now >= claimAt && now <= paidUntil && !journal.stopAsked)
    return act({ kind: "claimCheckpoint", step: lease.lastStep + 1 });
  if (journal.podSeconds < lease.maxSeconds) return act({ kind: "extendRun", seconds: lease.maxSeconds });
  return wait("running", claimAt > now ? Math.min(claimAt, overAt) : overAt);
}

/** The result is on disk, and on chain or bound by it; whether it is paid is still open. */
export const DELIVERED: ReadonlySet<LeaseFacts["status"]> = new Set([
  "Committed",
  "Revealed",
  "Completed",
  "Disputed",
]);

/** The pod of a result that is on chain is needed no more, and goes once that is final. */
function planDelivered({ lease, cluster, journal, node }: Facts): Plan | undefined {
  if (!cluster.isReachable) return undefined;
  if (!journal.released && cluster.pod?.stage === "exited") return act({ kind: "release" });
  if (lease.isFinallyOver && !journal.tornDown && !node.keepFinishedPods) return act({ kind: "tearDown" });
  return undefined;
}

function planVote(facts: Facts, now: Seconds): Plan {
  const { ballot, status } = facts.lease;
  if (ballot === undefined) return wait("not-mine");
  const vote = { ...facts, ballot, meanwhile: planDelivered(facts) };
  return status === "Committed" ? planCommitted(vote, now) : planTally(vote, now);
}

function planCompleted(facts: Facts, now: Seconds): Plan {
  const window = { endsAt: facts.lease.challengeEndsAt, waitsFor: "challenge-window" } as const;
  return planEnforceable(facts, window, { kind: "settle" }, now);
}

/**
 * A claim is answered with the consumer's own receipt, where there is one; attesters' verdicts are collected elsewhere. Nobody
 * has answered it in time: it is no verdict, and the lease goes on to its settlement (rule 23).
 */
function planDisputed(facts: Facts, now: Seconds): Plan {
  const { lease, journal, node } = facts;
  if (journal.hasReceipt && node.maySign && now <= lease.answerUntil)
    return act({ kind: "answerWithReceipt" });
  const window = { endsAt: facts.lease.answerUntil, waitsFor: "disputed" } as const;
  return planEnforceable(facts, window, { kind: "lapseClaim" }, now);
}

/** Once anyone may end a window, the node does; until then it sees to the delivery. */
function planEnforceable(
  facts: Facts,
  { endsAt, waitsFor }: { endsAt: Seconds; waitsFor: "challenge-window" | "disputed" },
  action: LeaseAction,
  now: Seconds,
): Plan {
  const { lease, node } = facts;
  const enforceableAt = endsAt + lease.outageGrace + 1;
  if (now >= enforceableAt && node.maySign) return act(action);
  const delivered = planDelivered(facts);
  if (delivered !== undefined) return delivered;
  return now >= enforceableAt ? wait("signing-stopped") : wait(waitsFor, enforceableAt);
}

/** One answer without the pod may be a mistake of the API; several, over some seconds, are not. */
function planMissing(node: NodeFacts, missingFor: number, reason: FailReason, now: Seconds): Plan {
  const left = MISSING_SECONDS - missingFor;
  return left > 0 ? wait("pod-missing", now + left) : fail(node, reason);
}

function fail(node: NodeFacts, reason: FailReason): Plan {
  return node.maySign ? act({ kind: "fail", reason }) : wait("signing-stopped");
}

/** While a deadline runs, a wait ends with it at the latest. */
function atLatest(plan: Plan, at: Seconds): Plan {
  if (plan.kind !== "wait") return plan;
  const lookAgainAt = Math.min(plan.lookAgainAt ?? at, at);
  return wait(plan.reason, Number.isFinite(lookAgainAt) ? lookAgainAt : undefined);
}

/** Stopped by the oracle, rather than ended by itself before it. */
function stopCause(lease: LeaseFacts, journal: JournalFacts): StopCause | undefined {
  if (!journal.stopAsked) return undefined;
  return lease.status === "Stopping" ? lease.stopReason : "time-limit";
}
