import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MISSING_SECONDS, planLease } from "../../src/plan/lease.ts";
import type { LeaseAction, WaitReason } from "../../src/plan/plan.ts";
import {
  aJournal,
  aLease,
  aNode,
  aPod,
  type Facts,
  facts,
  noPod,
  running,
  T0,
  unreachable,
} from "./builders.ts";

function acts(given: Partial<Facts>, action: LeaseAction, now = T0 + 20): void {
  assert.deepEqual(planLease(facts(given), now), { kind: "act", action });
}

function waits(given: Partial<Facts>, reason: WaitReason, lookAgainAt?: number, now = T0 + 20): void {
  assert.deepEqual(planLease(facts(given), now), { kind: "wait", reason, lookAgainAt });
}

const silenced = aNode({ maySign: false });

describe("an assigned lease", () => {
  const seen = aJournal({ podSeen: true });

  it("gets its pod", () => acts({}, { kind: "ensureAttempt" }));

  it("gets none before the assignment is confirmed, while the cluster is away or while the disk is full", () => {
    waits({ lease: aLease({ isConfirmed: false }) }, "confirmations", T0 + 121);
    waits({ cluster: unreachable }, "cluster-unreachable", T0 + 121);
    waits({ node: aNode({ diskFull: true }) }, "disk-full", T0 + 121);
  });

  it("gets none without the task's key, for which the consumer has until the deadline", () =>
    waits({ lease: aLease({ hasKey: false }) }, "key", T0 + 121));

  it("has its material fetched and checked before a pod is made: an award was looked at by nobody", () => {
    acts({ material: { kind: "unknown" } }, { kind: "fetchMaterial" });
    const missing = { kind: "missing", retryAt: T0 + 25 } as const;
    waits({ material: missing }, "material-missing", T0 + 25);
    acts({ material: missing }, { kind: "fetchMaterial" }, T0 + 25);
    const late = { kind: "missing", retryAt: T0 + 200 } as const;
    waits({ material: late }, "material-missing", T0 + 90);
    acts({ material: late }, { kind: "fail", reason: "MaterialMissing" }, T0 + 90);
  });

  it("is given back at once where what was awarded cannot run here, with the reason", () => {
    const unfit = { kind: "unfit", problem: "image-not-found" } as const;
    acts({ material: unfit }, { kind: "fail", reason: "Unfit:image-not-found" });
    waits({ material: unfit, node: silenced }, "signing-stopped", T0 + 121);
    const long = { kind: "unfit", problem: "x".repeat(99) } as const;
    acts({ material: long }, { kind: "fail", reason: `Unfit:${"x".repeat(25)}` });
  });

  it("asks for no material once its pod is there", () =>
    acts({ cluster: aPod("running"), material: { kind: "unknown" } }, { kind: "startLease" }));

  it("waits for its pod until a margin before the start's deadline, then fails rather than be late", () => {
    waits({ cluster: aPod("pending") }, "pod-pending", T0 + 90);
    acts({ cluster: aPod("pending") }, { kind: "fail", reason: "NotStartedInTime" }, T0 + 90);
  });

  it("gets its inputs when the helper waits for them, as often as it waits", () => {
    acts({ cluster: aPod("awaiting-inputs"), journal: seen }, { kind: "sendInputs" });
    const sent = aJournal({ podSeen: true, inputsSent: true });
    acts({ cluster: aPod("awaiting-inputs"), journal: sent }, { kind: "sendInputs" });
  });

  it("starts on chain when the main container runs, or has ended already", () => {
    acts({ cluster: aPod("running"), journal: seen }, { kind: "startLease" });
    acts({ cluster: aPod("exited"), journal: seen }, { kind: "startLease" });
    waits({ cluster: aPod("running"), node: silenced }, "signing-stopped", T0 + 121);
  });

  it("fails when a pod that was seen is gone, but only once it is surely gone", () => {
    waits({ cluster: noPod(1), journal: seen }, "pod-missing", T0 + 20 + MISSING_SECONDS - 1);
    const gone: LeaseAction = { kind: "fail", reason: "PodGoneBeforeStart" };
    acts({ cluster: noPod(MISSING_SECONDS), journal: seen }, gone);
    acts({ cluster: aPod("gone"), journal: seen }, gone);
    acts({ cluster: aPod("running", true), journal: seen }, gone);
    waits({ cluster: noPod(60), journal: seen, node: silenced }, "signing-stopped", T0 + 121);
  });

  it("waits for what is left of a namespace before it makes a new one", () =>
    waits({ cluster: aPod("pending", true) }, "terminating", T0 + 121));

  it("is expired once everybody may do it", () => {
    waits({ cluster: aPod("running") }, "enforceable", T0 + 151, T0 + 121);
    waits({ cluster: aPod("running") }, "enforceable", T0 + 151, T0 + 150);
    acts({ cluster: aPod("running") }, { kind: "expire" }, T0 + 151);
    waits({ node: silenced }, "signing-stopped", undefined, T0 + 151);
  });
});

describe("a running lease", () => {
  it("is left to run, with a claim each interval", () => {
    waits({ lease: running(), cluster: aPod("running") }, "running", T0 + 70);
    const claim: LeaseAction = { kind: "claimCheckpoint", step: 4 };
    acts({ lease: running({ lastStep: 3 }), cluster: aPod("running") }, claim, T0 + 70);
    waits(
      { lease: running({ lastClaimAt: T0 + 70 }), cluster: aPod("running") },
      "running",
      T0 + 130,
      T0 + 71,
    );
  });

  it("claims no faster than the contract allows, and nothing for time that is never paid", () => {
    const slow = running({ minCheckpointInterval: 300 });
    waits({ lease: slow, cluster: aPod("running") }, "running", T0 + 310, T0 + 100);
    waits({ lease: running(), cluster: aPod("running") }, "running", T0 + 625, T0 + 611);
  });

  it("gives its pod more time when the consumer has paid for more, but a claim that is due goes first", () => {
    const topped = { lease: running({ maxSeconds: 900, completeBy: T0 + 970 }), cluster: aPod("running") };
    acts(topped, { kind: "extendRun", seconds: 900 });
    acts(topped, { kind: "claimCheckpoint", step: 1 }, T0 + 70);
    waits({ ...topped, journal: aJournal({ podSeen: true, podSeconds: 900 }) }, "running", T0 + 70);
  });

  it("has no end while its gang waits for others and the clock stands", () => {
    const waiting = running({ completeBy: Number.POSITIVE_INFINITY });
    waits({ lease: waiting, cluster: aPod("running") }, "running", T0 + 70);
    acts({ lease: waiting, cluster: aPod("running") }, { kind: "claimCheckpoint", step: 1 }, T0 + 9_000);
    waits({ lease: waiting, cluster: unreachable }, "cluster-unreachable", undefined, T0 + 9_000);
    acts({ lease: waiting, cluster: aPod("exited") }, { kind: "seal", stopped: undefined }, T0 + 9_000);
  });

  it("is sealed as ended by its time where the oracle had to stop it", () => {
    const asked = aJournal({ podSeen: true, stopAsked: true });
    acts(
      { lease: running(), cluster: aPod("exited"), journal: asked },
      { kind: "seal", stopped: "time-limit" },
      T0 + 626,
    );
  });

  it("is stopped where the wrapper has not done it in time", () =>
    acts({ lease: running(), cluster: aPod("running") }, { kind: "stopMain" }, T0 + 625));

  it("goes on silently while another daemon has the key", () => {
    waits({ lease: running(), cluster: aPod("running"), node: silenced }, "signing-stopped", T0 + 625);
    acts({ lease: running(), cluster: aPod("exited"), node: silenced }, { kind: "seal", stopped: undefined });
    const sealed = aJournal({ podSeen: true, sealed: true });
    waits({ lease: running(), journal: sealed, node: silenced }, "signing-stopped", T0 + 671);
    const attested = aJournal({ podSeen: true, sealed: true, attested: true });
    waits({ lease: running(), journal: attested, node: silenced }, "signing-stopped", T0 + 671);
  });

  it("seals, then attests, then completes; the last two need no cluster", () => {
    acts({ lease: running(), cluster: aPod("exited") }, { kind: "seal", stopped: undefined });
    const sealed = aJournal({ podSeen: true, sealed: true });
    acts({ lease: running(), cluster: unreachable, journal: sealed }, { kind: "attest" });
    const attested = aJournal({ podSeen: true, sealed: true, attested: true });
    acts({ lease: running(), cluster: noPod(900), journal: attested }, { kind: "complete" });
  });

  it("takes the output of a pod that is being deleted, for as long as it holds it", () =>
    acts({ lease: running(), cluster: aPod("exited", true) }, { kind: "seal", stopped: undefined }));

  it("waits for disk space as long as the output can still be attested, then gives up", () => {
    const full = { lease: running(), cluster: aPod("exited"), node: aNode({ diskFull: true }) };
    waits(full, "disk-full", T0 + 655);
    acts(full, { kind: "fail", reason: "OutputUnreadable" }, T0 + 655);
  });

  it("fails when its pod is gone, was replaced or is being deleted unread", () => {
    const gone: LeaseAction = { kind: "fail", reason: "PodGone" };
    acts({ lease: running(), cluster: aPod("gone") }, gone);
    acts({ lease: running(), cluster: aPod("awaiting-inputs") }, gone);
    acts({ lease: running(), cluster: aPod("running", true) }, gone);
    acts({ lease: running(), cluster: noPod(MISSING_SECONDS) }, gone);
    waits({ lease: running(), cluster: noPod(0) }, "pod-missing", T0 + 20 + MISSING_SECONDS);
  });

  it("waits for an unreachable cluster until its deadline, and never fails for it", () => {
    waits({ lease: running(), cluster: unreachable }, "cluster-unreachable", T0 + 671);
    waits({ lease: running(), cluster: unreachable }, "enforceable", T0 + 701, T0 + 671);
    acts({ lease: running(), cluster: unreachable }, { kind: "expire" }, T0 + 701);
  });
});

describe("a cancelled run", () => {
  const stopping = running({ status: "Stopping", completeBy: T0 + 75 });

  it("is stopped, and sealed as cancelled", () => {
    acts({ lease: stopping, cluster: aPod("running") }, { kind: "stopMain" });
    const asked = aJournal({ podSeen: true, stopAsked: true });
    acts(
      { lease: stopping, cluster: aPod("exited"), journal: asked },
      { kind: "seal", stopped: "cancelled" },
    );
  });

  it("is stopped and sealed alike where its gang was wound down, but says why", () => {
    const wound = { ...stopping, stopReason: "peer-lost" as const };
    acts({ lease: wound, cluster: aPod("running") }, { kind: "stopMain" });
    const asked = aJournal({ podSeen: true, stopAsked: true });
    acts({ lease: wound, cluster: aPod("exited"), journal: asked }, { kind: "seal", stopped: "peer-lost" });
  });

  it("keeps its own outcome where it had ended before the cancel", () =>
    acts({ lease: stopping, cluster: aPod("exited") }, { kind: "seal", stopped: undefined }));

  it("completes within the grace that counts from the cancel", () => {
    acts({ lease: stopping, cluster: aPod("exited") }, { kind: "fail", reason: "OutputUnreadable" }, T0 + 60);
    acts({ lease: stopping, cluster: aPod("exited") }, { kind: "expire" }, T0 + 106);
  });
});

describe("a completed lease", () => {
  const sealed = aJournal({ podSeen: true, sealed: true, attested: true, signed: true });
  const completed = aLease({ status: "Completed", challengeEndsAt: T0 + 500 });
  const final = { ...completed, isFinallyOver: true };

  it("lets the helper end at once and deletes the namespace when the completion is final", () => {
    acts({ lease: completed, cluster: aPod("exited"), journal: sealed }, { kind: "release" });
    const released = { ...sealed, released: true };
    waits(
      { lease: completed, cluster: aPod("gone"), journal: released },
      "challenge-window",
      T0 + 531,
      T0 + 400,
    );
    acts({ lease: final, cluster: aPod("gone"), journal: released }, { kind: "tearDown" });
    const tornDown = { ...released, tornDown: true };
    waits({ lease: final, cluster: noPod(9), journal: tornDown }, "challenge-window", T0 + 531);
  });

  it("is settled when the window has closed, by whoever may sign", () => {
    acts({ lease: completed, journal: sealed }, { kind: "settle" }, T0 + 531);
    waits({ lease: completed, journal: sealed, node: silenced }, "signing-stopped", undefined, T0 + 531);
  });
});

it("keeps no pod for a disputed result, and lapses a claim that nobody has answered in time", () => {
  const disputed = aLease({ status: "Disputed", answerUntil: T0 + 500 });
  const journal = aJournal({ podSeen: true, sealed: true, attested: true, signed: true });
  acts({ lease: disputed, cluster: aPod("exited"), journal }, { kind: "release" });
  const released = { ...journal, released: true };
  acts(
    { lease: { ...disputed, isFinallyOver: true }, cluster: aPod("gone"), journal: released },
    { kind: "tearDown" },
  );
  const gone = { lease: disputed, cluster: aPod("gone"), journal: released };
  waits(gone, "disputed", T0 + 531, T0 + 530);
  acts(gone, { kind: "lapseClaim" }, T0 + 531);
  waits({ ...gone, node: silenced }, "signing-stopped", undefined, T0 + 531);
});

it("answers a claim with the consumer's receipt while there is time, whatever becomes of the pod", () => {
  const lease = aLease({ status: "Disputed", answerUntil: T0 + 500 });
  const journal = aJournal({ sealed: true, attested: true, signed: true, hasReceipt: true });
  for (const cluster of [aPod("exited"), aPod("gone"), unreachable])
    acts({ lease, cluster, journal }, { kind: "answerWithReceipt" }, T0 + 500);
  const late = { lease, cluster: aPod("gone"), journal: { ...journal, released: true } };
  waits(late, "disputed", T0 + 531, T0 + 501);
  acts(late, { kind: "lapseClaim" }, T0 + 531);
  waits({ ...late, node: silenced }, "disputed", T0 + 531, T0 + 400);
});

describe("an ended lease", () => {
  const ended = aLease({ status: "Settled", isFinallyOver: true });

  it("is torn down only when the end is final", () => {
    waits({ lease: aLease({ status: "Failed" }), cluster: aPod("running") }, "finality");
    acts({ lease: ended, cluster: aPod("gone") }, { kind: "tearDown" });
    acts({ lease: aLease({ isMine: false, isFinallyOver: true }) }, { kind: "tearDown" });
    waits({ lease: aLease({ isMine: false }), cluster: aPod("running") }, "not-mine");
  });

  it("is torn down where the attempt was lost and its lease is open for others", () => {
    const lost = aLease({ status: "Open", isMine: false });
    waits({ lease: lost, cluster: aPod("running") }, "not-mine");
    acts({ lease: { ...lost, isFinallyOver: true }, cluster: aPod("running") }, { kind: "tearDown" });
  });

  it("never comes back, whatever the chain says later", () => {
    acts(
      { lease: running(), cluster: aPod("running"), journal: aJournal({ ended: true }) },
      { kind: "tearDown" },
    );
    const over = aJournal({ ended: true, tornDown: true });
    assert.deepEqual(planLease(facts({ journal: over }), T0), { kind: "done" });
  });

  it("keeps its finished pod for a look where that is wanted", () => {
    const node = aNode({ keepFinishedPods: true });
    const journal = aJournal({ podSeen: true, sealed: true });
    acts({ lease: ended, cluster: aPod("exited"), journal, node }, { kind: "release" });
    waits({ lease: ended, cluster: noPod(1), journal, node }, "pod-missing");
    // Its helper has gone, though nobody heard so: there is nothing left to let go.
    assert.deepEqual(planLease(facts({ lease: ended, cluster: aPod("gone"), journal, node }), T0), {
      kind: "done",
    });
    const released = { ...journal, released: true };
    assert.deepEqual(planLease(facts({ lease: ended, journal: released, node }), T0), { kind: "done" });
    acts({ lease: ended, cluster: aPod("running"), node }, { kind: "tearDown" });
  });

  it("waits for a cluster that is away", () =>
    waits({ lease: ended, cluster: unreachable }, "cluster-unreachable"));
});

describe("without evidence", () => {
  const blind = running({ evidence: "unreadable" });

  it("lets everything run and deletes nothing", () => {
    for (const stage of ["pending", "awaiting-inputs", "running", "gone"] as const)
      waits({ lease: blind, cluster: aPod(stage) }, "chain-unreadable");
    waits({ lease: { ...blind, status: "Settled", isFinallyOver: true } }, "chain-unreadable");
    waits({ lease: blind, journal: aJournal({ ended: true }) }, "chain-unreadable");
  });

  it("brings an ended run's output to safety, once", () => {
    acts({ lease: blind, cluster: aPod("exited") }, { kind: "seal", stopped: undefined });
    waits({ lease: blind, cluster: aPod("exited"), journal: aJournal({ sealed: true }) }, "chain-unreadable");
    waits({ lease: blind, cluster: aPod("exited"), node: aNode({ diskFull: true }) }, "chain-unreadable");
  });
});

it("does nothing at all where an empty journal met live leases", () =>
  waits({ node: aNode({ mayAct: false }), journal: aJournal({ ended: true }) }, "read-only"));
