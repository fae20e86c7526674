import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { attestationOf, lastTallyOf, retainUntil } from "../../src/daemon/attestation.ts";
import { outcomeOf } from "../../src/daemon/lease-actions.ts";
import type { RunRecord } from "../../src/journal/attempts.ts";
import { aRecord, hex, leaseId, run, sealed, terms } from "./builders.ts";

/** The last block that can take the claim. */
const takenBy = 60_000;
const until = retainUntil(terms, takenBy);

/** An attestation by a chain whose time is the cluster's plus `offset`. */
function attested(change: Partial<RunRecord> = {}, { now = 6_000, offset = 0 } = {}) {
  const record = { ...aRecord(), run: { ...run, ...change }, sealed };
  return attestationOf(record, until, { now, toChainTime: (seconds) => seconds + offset });
}

describe("a replica's attestation", () => {
  it("is kept until the votes are counted and long after, though the others take all the time that they have", () => {
    const slowest =
      terms.createdAt +
      (terms.grantWindow + terms.startWindow + terms.outageGrace) +
      (7_200 + terms.completionGrace + terms.outageGrace);
    assert.equal(lastTallyOf(terms, 7_200), slowest + terms.revealWindow + terms.outageGrace);
  });
});

describe("an end-of-run attestation", () => {
  it("says what ran, for whom, when and with what result", () => {
    const attestation = attested();
    assert.equal(attestation.leaseId, leaseId);
    assert.equal(attestation.attempt, 1);
    assert.equal(attestation.ciphertextSize, 1_234n);
    assert.equal(attestation.imageDigest, hex("ef"));
    assert.equal(attestation.outcome, 0);
    assert.equal(attestation.started, 5_000n);
    assert.equal(attestation.ended, 5_060n);
    assert.equal(attestation.cpuSeconds, 55n);
    assert.equal(attestation.gpuSeconds, 120n, "two GPUs for a minute");
  });

  it("speaks in the chain's time, not in the cluster's", () => {
    const { started, ended } = attested({}, { offset: 100 });
    assert.deepEqual([started, ended], [5_100n, 5_160n]);
  });

  it("never ends in the chain's future, and never starts after it ended", () => {
    const late = attested({}, { now: 5_030 });
    assert.deepEqual([late.started, late.ended], [4_970n, 5_030n]);
    const backwards = attested({ startedAt: 5_100, finishedAt: 5_060 });
    assert.deepEqual([backwards.started, backwards.ended, backwards.gpuSeconds], [5_060n, 5_060n, 0n]);
  });

  it("is as long as the run also where the cluster's clock is ahead: its seconds are paid", () => {
    for (const now of [5_059, 5_000, 4_000]) {
      const { started, ended, gpuSeconds } = attested({}, { now });
      assert.deepEqual([started, ended, gpuSeconds], [BigInt(now) - 60n, BigInt(now), 120n]);
    }
  });

  it("counts no GPU second outside of its own times", () => {
    const { started, ended, gpuSeconds } = attested({}, { now: 5_030 });
    assert.equal(gpuSeconds, 2n * (ended - started));
  });

  it("keeps the delivery through every window and the retention that the order asks for", () => {
    assert.ok(until >= takenBy + terms.challengeWindow + terms.outageGrace + terms.minRetention);
    assert.equal(attested().retainUntil, BigInt(until));
  });
});

describe("how a run is said to have ended", () => {
  it("is by the strongest fact: cancelled, then time, then memory, then the exit code", () => {
    const all = { ...run, exitCode: 137, outOfMemory: true, timeLimit: true };
    assert.equal(outcomeOf(all, "cancelled"), "Cancelled");
    assert.equal(outcomeOf(all, undefined), "TimeLimit");
    assert.equal(outcomeOf({ ...all, timeLimit: false }, "time-limit"), "TimeLimit");
    assert.equal(outcomeOf(all, "peer-lost"), "PeerLost");
    assert.equal(outcomeOf({ ...all, timeLimit: false }, undefined), "OutOfMemory");
    assert.equal(outcomeOf({ ...run, exitCode: 3 }, undefined), "NonZeroExit");
    assert.equal(outcomeOf(run, undefined), "Success");
  });
});
