import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { AttemptJournal, type AttemptRecord } from "../../src/journal/attempts.ts";
import { anAttempt, anAttestation, aRun, aSealed, bytes32, CONSUMER, LEASE } from "./builders.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

function openJournal(t: TestContext) {
  const { db, dir } = openDatabase(t);
  let clock = 1_000;
  const now = () => ++clock;
  const journal = new AttemptJournal(db, now);
  const afterCrash = () => new AttemptJournal(reopenAfterCrash(t, dir).db, now);
  return { db, journal, afterCrash };
}

const REPLICA = { recipient: "age1x", sealedKey: "0x0b", salt: bytes32(12) } as const;

const found = (journal: AttemptJournal): AttemptRecord => {
  const record = journal.find(LEASE, 1);
  assert.ok(record, "the attempt is there");
  return record;
};

describe("a lease attempt's journal", () => {
  it("has every step that was taken when the process dies right after it", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const steps: [string, () => unknown, (record: AttemptRecord) => unknown][] = [
      ["open", () => journal.open(anAttempt()), ({ order }) => order.ratePerHour === 2_000_000n],
      ["accepted", () => journal.mark(LEASE, 1, "accepted"), ({ steps }) => steps.has("accepted")],
      ["ensured", () => journal.mark(LEASE, 1, "ensured"), ({ steps }) => steps.has("ensured")],
      ["pod seen", () => journal.mark(LEASE, 1, "pod_seen"), ({ steps }) => steps.has("pod_seen")],
      ["inputs sent", () => journal.mark(LEASE, 1, "inputs_sent"), ({ steps }) => steps.has("inputs_sent")],
      ["started", () => journal.mark(LEASE, 1, "started"), ({ steps }) => steps.has("started")],
      ["stop asked", () => journal.mark(LEASE, 1, "stop_asked"), ({ steps }) => steps.has("stop_asked")],
      ["run", () => journal.recordRun(LEASE, 1, aRun), ({ run }) => run?.cpuSeconds === 12],
      ["log taken", () => journal.mark(LEASE, 1, "log_taken"), ({ steps }) => steps.has("log_taken")],
      [
        "sealed",
        () => journal.recordSealed(LEASE, 1, aSealed()),
        ({ sealed }) => sealed?.skipped.length === 1,
      ],
      [
        "attested",
        () => journal.storeAttestation(anAttestation()),
        ({ attestation }) => attestation?.retainUntil === 2n ** 60n,
      ],
      [
        "replica",
        () => journal.recordReplica(LEASE, 1, REPLICA),
        ({ replica }) => replica?.salt === REPLICA.salt,
      ],
      ["committed", () => journal.mark(LEASE, 1, "committed"), ({ steps }) => steps.has("committed")],
      ["key given", () => journal.mark(LEASE, 1, "key_given"), ({ steps }) => steps.has("key_given")],
      ["signed", () => journal.recordSignature(LEASE, 1, "0x51"), ({ signature }) => signature === "0x51"],
      ["posted", () => journal.mark(LEASE, 1, "posted"), ({ steps }) => steps.has("posted")],
      ["released", () => journal.mark(LEASE, 1, "released"), ({ steps }) => steps.has("released")],
      ["torn down", () => journal.mark(LEASE, 1, "torn_down"), ({ steps }) => steps.has("torn_down")],
      ["settled", () => journal.mark(LEASE, 1, "settled"), ({ steps }) => steps.has("settled")],
      ["ended", () => journal.recordEnded(LEASE, 1, "Settled"), ({ ended }) => ended === "Settled"],
    ];
    for (const [index, [step, take]] of steps.entries()) {
      take();
      const record = found(afterCrash());
      assert.deepEqual(record, found(journal));
      for (const [other, [name, , isTaken]] of steps.entries())
        assert.equal(isTaken(record), other <= index, `${name} after a crash behind ${step}`);
    }
    assert.deepEqual(journal.live(), []);
  });

  it("is opened once: a second accept of the same attempt changes nothing", (t) => {
    const { journal } = openJournal(t);
    journal.open(anAttempt());
    journal.mark(LEASE, 1, "accepted");
    journal.open({ ...anAttempt(), consumer: `0x${"ff".repeat(20)}`, adopted: true });
    const record = found(journal);
    assert.equal(record.consumer, CONSUMER);
    assert.equal(record.adopted, false);
    assert.ok(record.steps.has("accepted"));
  });

  it("keeps the first of everything: a step, a run, a seal, a signature, an end", (t) => {
    const { journal } = openJournal(t);
    journal.open(anAttempt());
    assert.equal(journal.mark(LEASE, 1, "started"), true);
    assert.equal(journal.mark(LEASE, 1, "started"), false);
    journal.recordRun(LEASE, 1, aRun);
    journal.recordRun(LEASE, 1, { ...aRun, exitCode: 9 });
    journal.recordSealed(LEASE, 1, aSealed());
    journal.recordSealed(LEASE, 1, aSealed({ ciphertextRoot: bytes32(99) }));
    journal.recordSignature(LEASE, 1, "0x51");
    journal.recordSignature(LEASE, 1, "0x52");
    journal.recordFailing(LEASE, 1, "PodGone");
    journal.recordFailing(LEASE, 1, "OutputUnreadable");
    journal.recordEnded(LEASE, 1, "Failed");
    journal.recordEnded(LEASE, 1, "Settled");
    const { run, sealed, signature, failReason, ended } = found(journal);
    assert.deepEqual(
      { exitCode: run?.exitCode, root: sealed?.ciphertextRoot, signature, failReason, ended },
      { exitCode: 0, root: bytes32(7), signature: "0x51", failReason: "PodGone", ended: "Failed" },
    );
  });

  it("keeps the first key and salt of a replica: what was committed to is what is revealed", (t) => {
    const { journal, afterCrash } = openJournal(t);
    journal.open(anAttempt());
    journal.recordReplica(LEASE, 1, REPLICA);
    journal.recordReplica(LEASE, 1, { ...REPLICA, salt: bytes32(13) });
    assert.deepEqual(found(afterCrash()).replica, REPLICA);
  });

  it("forgets an accept that came to nothing, and none that was mined or has a pod", (t) => {
    const { journal } = openJournal(t);
    for (const [attempt, step] of [[1], [2, "accepted"], [3, "ensured"]] as const) {
      journal.open(anAttempt({ attempt }));
      if (step !== undefined) journal.mark(LEASE, attempt, step);
      journal.forget(LEASE, attempt);
    }
    assert.deepEqual(
      journal.live().map(({ attempt }) => attempt),
      [2, 3],
    );
  });

  it("forgets one that the chain does not know any more, unless something was made for it", (t) => {
    const { journal } = openJournal(t);
    for (const [attempt, step] of [[1], [2, "accepted"], [3, "ensured"], [4, "pod_seen"]] as const) {
      journal.open(anAttempt({ attempt }));
      if (step !== undefined) journal.mark(LEASE, attempt, step);
    }
    const forgotten = [1, 2, 3, 4].filter((attempt) => journal.forgetUnmade(LEASE, attempt));
    assert.deepEqual(forgotten, [1, 2]);
  });

  it("decides once what an attempt goes on from, and keeps the newest of what changes while it runs", (t) => {
    const { journal, afterCrash } = openJournal(t);
    const checkpoint = (fill: number) => ({
      digest: bytes32(fill),
      size: fill,
      manifestDigest: bytes32(fill + 100),
    });
    journal.open(anAttempt({ attempt: 2 }));
    journal.open(anAttempt({ attempt: 3 }));
    assert.equal(journal.find(LEASE, 2)?.resume, undefined);
    journal.recordResume(LEASE, 2, checkpoint(1));
    journal.recordResume(LEASE, 2, null);
    assert.deepEqual(
      journal.find(LEASE, 2)?.checkpoint,
      checkpoint(1),
      "it is claimed until there is another",
    );
    journal.recordCheckpoint(LEASE, 2, checkpoint(2));
    journal.recordCheckpoint(LEASE, 2, checkpoint(3));
    journal.recordPodSeconds(LEASE, 2, 600);
    journal.recordPodSeconds(LEASE, 2, 900);
    journal.recordResume(LEASE, 3, null);
    journal.recordResume(LEASE, 3, checkpoint(1));
    const restarted = afterCrash();
    const { resume, checkpoint: newest, podSeconds } = restarted.find(LEASE, 2) ?? {};
    assert.deepEqual([resume, newest, podSeconds], [checkpoint(1), checkpoint(3), 900]);
    assert.equal(restarted.find(LEASE, 3)?.resume, null);
    assert.equal(restarted.find(LEASE, 3)?.checkpoint, undefined);
  });

  it("lists what may still need something: until it has ended and is torn down", (t) => {
    const { journal } = openJournal(t);
    assert.ok(journal.isEmpty());
    for (const attempt of [1, 2, 3, 4]) journal.open(anAttempt({ attempt }));
    journal.mark(LEASE, 2, "torn_down");
    journal.recordEnded(LEASE, 3, "Failed");
    journal.mark(LEASE, 4, "torn_down");
    journal.recordEnded(LEASE, 4, "Settled");
    assert.deepEqual(
      journal.live().map(({ attempt }) => attempt),
      [1, 2, 3],
    );
    assert.equal(journal.isEmpty(), false);
  });

  it("knows who may read an output, and nobody for what it does not know", (t) => {
    const { journal } = openJournal(t);
    journal.open(anAttempt());
    journal.storeAttestation(anAttestation());
    assert.deepEqual(journal.outputOwner(bytes32(7)), { leaseId: LEASE, attempt: 1 });
    assert.equal(journal.consumerOf(LEASE, 1), CONSUMER);
    assert.equal(journal.outputOwner(bytes32(9)), undefined);
    assert.equal(journal.consumerOf(LEASE, 2), undefined);
    assert.equal(journal.find(LEASE, 2), undefined);
  });
});

describe("a stored attestation", () => {
  it("may be stored again as it is, after any number of crashes", (t) => {
    const { journal, afterCrash } = openJournal(t);
    journal.open(anAttempt());
    journal.storeAttestation(anAttestation());
    afterCrash().storeAttestation(anAttestation());
    assert.deepEqual(found(afterCrash()).attestation, anAttestation());
  });

  it("is never replaced: any other content of the attempt is refused", (t) => {
    const { journal, afterCrash } = openJournal(t);
    journal.open(anAttempt());
    journal.storeAttestation(anAttestation());
    const restarted = afterCrash();
    const others = [
      { outputDigest: bytes32(77) },
      { ended: 1_061n },
      { ciphertextRoot: bytes32(78) },
      { exitCode: 1 },
    ];
    for (const change of others) {
      assert.throws(() => restarted.storeAttestation(anAttestation(change)), { code: "INTERNAL" });
      assert.deepEqual(found(restarted).attestation, anAttestation());
    }
    restarted.open(anAttempt({ attempt: 2 }));
    restarted.storeAttestation(anAttestation({ attempt: 2, outputDigest: bytes32(77) }));
  });

  it("cannot be changed or deleted by any statement either", (t) => {
    const { db, journal } = openJournal(t);
    journal.open(anAttempt());
    journal.storeAttestation(anAttestation());
    for (const sql of [
      "UPDATE attestations SET content = '{}'",
      "DELETE FROM attestations",
      `INSERT OR REPLACE INTO attestations VALUES ('${LEASE}', 1, '{}', '0x')`,
    ])
      assert.throws(() => db.run(sql), /an attestation is never/, sql);
    assert.deepEqual(found(journal).attestation, anAttestation());
  });
});
