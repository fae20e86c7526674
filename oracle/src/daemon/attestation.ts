import { type OutputAttestation, outcomes } from "@dekuper/protocol";
import type { TaskTerms } from "../chain/contracts.ts";
import type { AttemptRecord } from "../journal/attempts.ts";

/** Seconds beyond what the contract asks for which a node keeps what it delivers: room for late blocks. */
const RETENTION_MARGIN = 3600;

/**
 * The end-of-run claim of a sealed run. `toChainTime` turns the cluster's clock into the chain's; `now` is chain time.
 * The contract takes `ended` up to *drift* in the future of its block; clamping it to now never pays for more.
 * `until` must hold for the last block that can take the claim: it is signed once, and refused if it is too short by then.
 */
export function attestationOf(
  record: AttemptRecord & Required<Pick<AttemptRecord, "run" | "sealed">>,
  until: number,
  clock: { now: number; toChainTime(seconds: number): number },
): OutputAttestation {
  const { run, sealed, order } = record;
  const finished = clock.toChainTime(run.finishedAt);
  const ended = Math.min(finished, clock.now);
  // Moved together: a cluster whose clock is ahead would else have run for nothing. Pay never begins before the start's block.
  const started = Math.min(clock.toChainTime(run.startedAt) - (finished - ended), ended);
  return {
    taskId: record.taskId,
    leaseId: record.leaseId,
    attempt: record.attempt,
    specDigest: order.specDigest,
    outputDigest: sealed.outputDigest,
    logDigest: sealed.logDigest,
    ciphertextRoot: sealed.ciphertextRoot,
    ciphertextSize: BigInt(sealed.ciphertextSize),
    imageDigest: run.imageDigest,
    outcome: outcomes.indexOf(sealed.outcome),
    exitCode: sealed.exitCode,
    started: BigInt(started),
    ended: BigInt(ended),
    cpuSeconds: BigInt(run.cpuSeconds),
    gpuSeconds: BigInt((ended - started) * order.gpus),
    retainUntil: BigInt(until),
  };
}

/** The last second at which the votes of a quorum are counted, where each replica takes all the time that it has. */
export function lastTallyOf(terms: TaskTerms, maxDuration: number): number {
  const toStart = terms.grantWindow + terms.startWindow + terms.outageGrace;
  const toEnd = maxDuration + terms.completionGrace + terms.outageGrace;
  return terms.createdAt + toStart + toEnd + terms.revealWindow + terms.outageGrace;
}

/**
 * Until when ciphertext, log and spec are kept, Unix seconds: the window that opens at `from`, the retention that the order
 * asks for, and a margin.
 */
export function retainUntil(terms: TaskTerms, from: number): number {
  return (
    from +
    terms.challengeWindow +
    terms.outageGrace +
    terms.completionGrace +
    terms.minRetention +
    RETENTION_MARGIN
  );
}
