import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { DekuperError, type OutputAttestation } from "@dekuper/protocol";
import { LeaseActions } from "../../src/daemon/lease-actions.ts";
import { MaterialStore } from "../../src/daemon/material.ts";
import type { StoredCheckpoint } from "../../src/journal/attempts.ts";
import { createBlobStore, type FileBlobStore } from "../../src/peer/blob-store.ts";
import {
  aRecord,
  aSpec,
  deployment,
  hex,
  noKeys,
  orderOf,
  run,
  sealed,
  specBytes,
  specName,
  streamOf,
  terms,
} from "./builders.ts";

let dir = "";
let now = 1_000_000;
let blobs: FileBlobStore;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "dekuper-actions-"));
  blobs = await createBlobStore({ dir, clock: { now: () => now * 1000 } });
});
after(async () => {
  blobs.close();
  await rm(dir, { recursive: true, force: true });
});

describe("making an attempt's pod", () => {
  it("keeps the spec for as long as the run may last: without it nothing could be sealed", async () => {
    const spec = aSpec();
    const bytes = specBytes(spec);
    await blobs.put(specName(spec), bytes.length, {
      owner: "host:10.0.0.1",
      offset: 0,
      bytes: streamOf(bytes),
    });
    const made: { deadlineSeconds: number }[] = [];
    const marked: string[] = [];
    const given: number[] = [];
    const material = new MaterialStore(
      blobs,
      { fetchBlob: () => Promise.reject(new Error("not asked")) },
      0,
      { check: () => Promise.reject(new Error("not asked")) },
      noKeys,
    );
    const actions = new LeaseActions({
      deployment,
      blobs,
      material,
      reader: { lastReadable: { head: { timestamp: now } } },
      driver: { ensureAttempt: async (order: { deadlineSeconds: number }) => made.push(order) },
      journal: {
        mark: (_lease: string, _attempt: number, step: string) => marked.push(step),
        recordPodSeconds: (_lease: string, _attempt: number, seconds: number) => given.push(seconds),
      },
    } as never);
    const record = aRecord({ order: orderOf(spec) });
    const view = { terms, state: { index: 0, maxSeconds: 7200 } } as never;
    await actions.take(
      { kind: "ensureAttempt" },
      { record, view, observation: undefined },
      AbortSignal.timeout(10_000),
    );
    assert.deepEqual([marked, given], [["ensured"], [7200]]);
    assert.equal(made[0]?.deadlineSeconds, 120 + 7200 + 30 + 5, "start window, run, and both graces");
    now += 120 + 7200 + 35;
    await blobs.sweep(now);
    assert.deepEqual(await material.spec(record), spec);
  });
});

describe("making the pod of a later attempt", () => {
  const digest = hex("c1");
  const stored = { digest, size: 10, manifestDigest: hex("c2") };

  function actionsWith(found: StoredCheckpoint | null) {
    const made: { resumes?: boolean; rank?: object; runSeconds: number; deadlineSeconds: number }[] = [];
    const decided: unknown[] = [];
    const asked: unknown[] = [];
    const actions = new LeaseActions({
      deployment,
      material: { spec: async () => aSpec(), retain: async () => undefined },
      reader: { lastReadable: { head: { timestamp: 1_000 } } },
      driver: { ensureAttempt: async (order: (typeof made)[number]) => made.push(order) },
      checkpoints: {
        fetch: async (_: unknown, wanted: string) => {
          asked.push(wanted);
          return found;
        },
      },
      journal: {
        mark: () => undefined,
        recordPodSeconds: () => undefined,
        recordResume: (_lease: string, _attempt: number, resume: unknown) => decided.push(resume),
      },
    } as never);
    const ensure = (
      change: Parameters<typeof aRecord>[0],
      checkpointDigest = digest,
      change2: Partial<typeof terms> = {},
    ) =>
      actions.take(
        { kind: "ensureAttempt" },
        {
          record: aRecord({ attempt: 2, ...change }),
          view: {
            terms: { ...terms, ...change2 },
            state: { index: 1, maxSeconds: 600, deadline: 1_120, checkpointDigest },
          } as never,
          observation: undefined,
        },
        AbortSignal.timeout(10_000),
      );
    return { ensure, made, decided, asked };
  }

  it("has it wait for the checkpoint that the chain names, and writes that down before", async () => {
    const { ensure, made, decided, asked } = actionsWith(stored);
    await ensure({});
    assert.deepEqual([asked, decided], [[digest], [stored]]);
    assert.equal(made[0]?.resumes, true);
  });

  it("begins anew where nobody has it, and does not ask again", async () => {
    const { ensure, made, decided, asked } = actionsWith(null);
    await ensure({});
    assert.deepEqual([asked, decided], [[digest], [null]]);
    await ensure({ resume: null });
    assert.equal(asked.length, 1);
    assert.deepEqual(
      made.map(({ resumes }) => resumes),
      [false, false],
    );
  });

  it("asks for none where none was ever claimed, or the attempt is the first", async () => {
    const { ensure, asked } = actionsWith(stored);
    await ensure({}, hex("00"));
    await ensure({ attempt: 1 });
    assert.deepEqual(asked, []);
  });

  it("tells a gang's member its rank, and gives its pod the time that it may wait for others", async () => {
    const { ensure, made } = actionsWith(null);
    await ensure({ resume: null });
    await ensure({ resume: null }, digest, { isGang: true, leaseCount: 3 });
    const [alone, member] = made;
    assert.equal(alone?.rank, undefined);
    assert.deepEqual(member?.rank, { index: 1, count: 3 });
    const waits = 2 * (terms.startWindow + terms.outageGrace);
    const replaced = terms.replaceWindow + terms.outageGrace + terms.grantWindow;
    assert.equal(member.runSeconds, 600 + waits + replaced);
    assert.equal(member.deadlineSeconds - member.runSeconds, 120 + 30 + 5);
    assert.equal(alone?.runSeconds, 600);
  });
});

describe("attesting a run", () => {
  it("promises a retention that holds for the last block that can take the claim: a late one cannot be signed again", async () => {
    const stored: OutputAttestation[] = [];
    const retained: number[] = [];
    const retain = async (...args: unknown[]) => retained.push(Number(args.at(-1)));
    const actions = new LeaseActions({
      deployment,
      blobs: { retain },
      material: { retain, spec: async () => aSpec() },
      reader: { lastReadable: { head: { timestamp: 5_100 }, headSeenAt: 5_100_000 } },
      journal: { storeAttestation: (attestation: OutputAttestation) => stored.push(attestation) },
    } as never);
    const { completionGrace, challengeWindow, minRetention } = terms;
    const running = { completeBy: 5_000 + 7200 + completionGrace };
    const stopping = { completeBy: 5_050 + completionGrace };
    for (const facts of [running, stopping]) {
      await actions.take(
        { kind: "attest" },
        {
          record: { ...aRecord(), run, sealed },
          view: { terms, facts } as never,
          observation: undefined,
        },
        AbortSignal.timeout(10_000),
      );
    }
    const last = [running.completeBy, stopping.completeBy];
    assert.equal(stored.length, 2);
    for (const [index, { retainUntil }] of stored.entries()) {
      const needed = (last[index] ?? 0) + challengeWindow + minRetention;
      assert.ok(Number(retainUntil) >= needed, `${retainUntil} is at least ${needed}`);
      assert.deepEqual(retained.slice(2 * index, 2 * index + 2), [Number(retainUntil), Number(retainUntil)]);
    }
  });
});

describe("claiming a checkpoint", () => {
  const claim = { kind: "claimCheckpoint", step: 3 } as const;
  const context = { record: aRecord(), view: { terms } as never, observation: undefined };
  const stored = { digest: hex("c1"), size: 10, manifestDigest: hex("c2") };
  const aborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const waiting = (signal: AbortSignal) =>
    aborted(signal).catch(() => Promise.reject(new DekuperError("TIMED_OUT", "It stays in the queue.")));

  function actionsWith(parts: {
    queue: object;
    checkpointManifest?: (_: unknown, signal: AbortSignal) => unknown;
    newest?: StoredCheckpoint;
  }) {
    const looks: string[] = [];
    const actions = new LeaseActions({
      deployment,
      claimMs: 100,
      material: { spec: async () => aSpec() },
      queue: parts.queue,
      checkpoints: { newest: async () => parts.newest },
      driver: {
        checkpointManifest: (ref: unknown, signal: AbortSignal) => {
          looks.push("checkpoint");
          return parts.checkpointManifest?.(ref, signal) ?? Promise.resolve(new Uint8Array([1]));
        },
      },
      logs: {
        captured: async () => {
          looks.push("log");
          return new Uint8Array([2]);
        },
      },
    } as never);
    return { actions, looks };
  }

  it("does not hold up its lease while it is not mined: the run may end, and its result has a deadline", async () => {
    const { actions, looks } = actionsWith({
      queue: { join: async () => undefined, submit: (_: unknown, signal: AbortSignal) => waiting(signal) },
    });
    await actions.take(claim, context, AbortSignal.timeout(10_000));
    assert.deepEqual(looks, ["checkpoint"]);
  });

  it("is not made again while it is in the queue", async () => {
    const { actions, looks } = actionsWith({
      queue: {
        join: (_: unknown, signal: AbortSignal) => waiting(signal),
        submit: () => assert.fail("a second claim"),
      },
    });
    await actions.take(claim, context, AbortSignal.timeout(10_000));
    assert.deepEqual(looks, []);
  });

  it("is over the log where CHECKPOINT_DIR is too large to be looked through", async () => {
    const claims: unknown[] = [];
    const { actions, looks } = actionsWith({
      queue: { join: async () => undefined, submit: async (call: unknown) => claims.push(call) },
      checkpointManifest: (_, signal) => aborted(signal),
    });
    await actions.take(claim, context, AbortSignal.timeout(10_000));
    assert.deepEqual(looks, ["checkpoint", "log"]);
    assert.equal(claims.length, 1);
  });

  it("is over the newest checkpoint that another node could go on from, where there is one", async () => {
    const claims: { args: readonly unknown[] }[] = [];
    const { actions, looks } = actionsWith({
      queue: {
        join: async () => undefined,
        submit: async (call: { args: readonly unknown[] }) => claims.push(call),
      },
      newest: stored,
    });
    await actions.take(claim, context, AbortSignal.timeout(10_000));
    assert.deepEqual(claims[0]?.args, [context.record.leaseId, 1, 3n, stored.digest]);
    assert.deepEqual(looks, []);
  });

  it("fails where the contract refuses it", async () => {
    const refused = new DekuperError("TRANSACTION_REVERTED", "No.");
    const { actions } = actionsWith({
      queue: { join: async () => undefined, submit: () => Promise.reject(refused) },
    });
    await assert.rejects(actions.take(claim, context, AbortSignal.timeout(10_000)), refused);
  });
});

describe("answering a claim with the consumer's receipt", () => {
  function actionsWith(submit: (call: unknown) => Promise<unknown>) {
    const dropped: unknown[] = [];
    const actions = new LeaseActions({
      deployment,
      queue: { submit },
      deliveries: { dropReceipt: (...of: unknown[]) => dropped.push(of) },
    } as never);
    const record = aRecord({ receipt: "0x5e" });
    const context = { record, view: {} as never, observation: undefined };
    const answer = () => actions.take({ kind: "answerWithReceipt" }, context, AbortSignal.timeout(10_000));
    return { answer, dropped, record };
  }
  const refusing = (reason: string) => () =>
    Promise.reject(new DekuperError("TRANSACTION_REVERTED", "No.", { details: { reason } }));

  it("sends it as it was given", async () => {
    const calls: unknown[] = [];
    const { answer, record } = actionsWith(async (call) => calls.push(call));
    await answer();
    assert.deepEqual(calls, [{ name: "answerWithReceipt", args: [record.leaseId, "0x5e"] }]);
  });

  it("drops one that the contract does not take: attesters decide then", async () => {
    const { answer, dropped, record } = actionsWith(refusing("WrongReceipt"));
    await assert.rejects(answer(), { code: "TRANSACTION_REVERTED" });
    assert.deepEqual(dropped, [[record.leaseId, record.attempt]]);
  });

  it("keeps it where something else is the matter", async () => {
    const { answer, dropped } = actionsWith(refusing("WrongStatus"));
    await assert.rejects(answer(), { code: "TRANSACTION_REVERTED" });
    assert.deepEqual(dropped, []);
  });
});

describe("a step of an adopted lease", () => {
  it("gets first what the new state folder lacks of it", async () => {
    const got: unknown[] = [];
    const stored: OutputAttestation[] = [];
    const spec = aSpec({ inputs: [{ path: "data", digest: specName(aSpec()).digest, size: 1 }] });
    const kept: number[] = [];
    const actions = new LeaseActions({
      deployment,
      blobs: { retain: async () => undefined },
      material: {
        recover: async (_: unknown, what: string) => got.push(what),
        spec: async () => spec,
        retain: async (_: unknown, { inputs }: typeof spec) => kept.push(inputs.length),
      },
      driver: { sendInputs: async () => undefined, release: async () => undefined },
      checkpoints: { files: async () => [] },
      reader: { lastReadable: { head: { timestamp: 5_100 }, headSeenAt: 5_100_000 } },
      journal: {
        mark: () => undefined,
        storeAttestation: (attestation: OutputAttestation) => stored.push(attestation),
      },
    } as never);
    const facts = { completeBy: 5_090 };
    const record = aRecord({ adopted: true, order: orderOf(spec), run, sealed });
    const context = { record, view: { terms, facts } as never, observation: undefined };
    for (const kind of ["sendInputs", "attest", "release"] as const)
      await actions.take({ kind }, context, AbortSignal.timeout(10_000));
    assert.deepEqual(got, ["all", "spec"]);
    assert.equal(stored.length, 1);
    assert.deepEqual(kept, [0], "inputs are not needed once the run is over");
  });
});
