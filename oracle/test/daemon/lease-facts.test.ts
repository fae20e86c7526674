import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DekuperError, type LeaseStatus, leaseStatuses } from "@dekuper/protocol";
import type { ChainReader } from "../../src/chain/reader.ts";
import type { AttemptObservation } from "../../src/cluster/driver.ts";
import { clusterFacts, journalFacts, LeaseFactReader } from "../../src/daemon/lease-facts.ts";
import { aRecord, deployment, hex, leaseId, node, run, sealed, terms } from "./builders.ts";

interface AtBlock {
  status: LeaseStatus;
  node?: string;
  attempt?: number;
}

/** A chain whose lease looks like this at each block; two RPCs that agree unless told otherwise. */
class Chain {
  head = 100;
  confirmed = 99;
  final = 97;
  readable = true;
  agreed = true;
  failure: DekuperError | undefined;
  /** Of the task: one lease, or a gang's. */
  task: object = { leaseCount: 1, verification: 0 };
  runDeadline = 2n ** 64n - 1n;
  isCancelled = false;
  /** Of a quorum: at the head, and before it. */
  ballot: object = { committed: 0, revealed: 0, isTallied: false, revealUntil: 0n, winner: hex("00") };
  confirmedBallot: object | undefined;
  at: (block: number) => AtBlock | undefined = () => ({ status: "Running" });

  get view() {
    const block = (number: number) => ({ number, hash: hex("0b"), timestamp: number * 10, baseFee: 0n });
    return this.readable
      ? { evidence: "readable", head: block(this.head), final: block(this.final), confirmed: this.confirmed }
      : { evidence: "unreadable", reason: "rpcs-disagree" };
  }

  read<T>(work: (client: never) => Promise<T>): Promise<T> {
    if (this.failure !== undefined) throw this.failure;
    return work(this.client as never);
  }

  async readAgreed<T>(work: (client: never) => Promise<T>): Promise<T | undefined> {
    return this.agreed ? work(this.client as never) : undefined;
  }

  private readonly client = {
    readContract: async ({ functionName, blockNumber }: { functionName: string; blockNumber?: bigint }) => {
      if (functionName === "getTask") return { ...terms, createdAt: BigInt(terms.createdAt), ...this.task };
      if (functionName === "termsOf") return terms;
      if (functionName === "deadlineOf") return this.runDeadline;
      if (functionName === "getClaim") return { claimedAt: 5n, answerUntil: 35n, bond: 1n };
      if (functionName === "getGang") return { isCancelled: this.isCancelled };
      if (functionName === "getBallot")
        return (blockNumber === BigInt(this.confirmed) && this.confirmedBallot) || this.ballot;
      const found = this.at(Number(blockNumber)) ?? { status: "None" as const };
      return {
        taskId: hex("33"),
        attempt: found.attempt ?? 1,
        status: leaseStatuses.indexOf(found.status),
        node: found.node ?? node,
        index: 0,
        hasKey: true,
        maxSeconds: 600,
        acceptedAt: 10n,
        deadline: 20n,
        startedAt: 30n,
        lastClaimAt: 40n,
        lastStep: 2n,
        stoppedAt: 0n,
        endedAt: 0n,
      };
    },
  };
}

const readerOf = (chain: Chain) => new LeaseFactReader(chain as unknown as ChainReader, deployment, node);
async function factsOf(chain: Chain, record = aRecord()) {
  const view = await readerOf(chain).read(record);
  assert.ok(view !== undefined);
  return view.facts;
}
const other = hex("77", 20);
const none = hex("00", 20);

describe("a lease as the chain shows it", () => {
  it("carries the lease's times and the terms that its task was created under", async () => {
    const facts = await factsOf(new Chain());
    assert.deepEqual(
      [facts.status, facts.acceptedAt, facts.completeBy, facts.startedAt, facts.lastClaimAt, facts.lastStep],
      ["Running", 10, 660, 30, 40, 2],
    );
    assert.deepEqual([facts.maxSeconds, facts.completionGrace, facts.outageGrace], [600, 30, 5]);
    assert.deepEqual([facts.evidence, facts.isMine, facts.isFinallyOver], ["readable", true, false]);
  });

  it("is mine only with this node and this attempt", async () => {
    const chain = new Chain();
    chain.at = () => ({ status: "Running", node: other });
    assert.equal((await factsOf(chain)).isMine, false);
    chain.at = () => ({ status: "Running", attempt: 2 });
    assert.equal((await factsOf(chain)).isMine, false);
  });

  it("is confirmed once it was mine minConfirmations ago", async () => {
    const chain = new Chain();
    chain.at = (block) =>
      block >= 100 ? { status: "Assigned" } : { status: "Open", node: hex("00", 20), attempt: 0 };
    assert.equal((await factsOf(chain)).isConfirmed, false);
    chain.at = (block) => (block >= 100 ? { status: "Assigned" } : undefined);
    assert.equal((await factsOf(chain)).isConfirmed, false, "it was not even there");
    chain.at = (block) => (block >= 99 ? { status: "Assigned" } : { status: "Open" });
    assert.equal((await factsOf(chain)).isConfirmed, true);
    assert.equal((await factsOf(chain, aRecord({ steps: new Set(["ensured"]) }))).isConfirmed, true);
  });

  const over: LeaseStatus[] = ["Completed", "Settled", "Cancelled", "Failed", "Expired"];
  it("is finally over only at a final block, and only when the RPCs agree", async () => {
    for (const status of over) {
      const chain = new Chain();
      chain.at = (block) => ({ status: block > 97 ? status : "Running" });
      assert.equal((await factsOf(chain)).isFinallyOver, false, `${status}, not final yet`);
      chain.at = () => ({ status });
      assert.equal((await factsOf(chain)).isFinallyOver, true, status);
      chain.agreed = false;
      assert.equal((await factsOf(chain)).isFinallyOver, false, `${status}, one RPC alone`);
    }
  });

  it("is over for this node when another node has it for good", async () => {
    const chain = new Chain();
    chain.at = () => ({ status: "Running", node: other, attempt: 2 });
    assert.equal((await factsOf(chain)).isFinallyOver, true);
    chain.at = (block) =>
      block > 97 ? { status: "Running", node: other } : { status: "Open", node: none, attempt: 0 };
    assert.equal((await factsOf(chain)).isFinallyOver, false, "a reorg may still give it to this node");
  });

  it("is over for an attempt that was lost for good, though its lease is open again", async () => {
    const chain = new Chain();
    chain.at = (block) => (block > 97 ? { status: "Open", node: none, attempt: 1 } : { status: "Running" });
    const lost = await factsOf(chain);
    assert.deepEqual([lost.isMine, lost.isFinallyOver], [false, false], "a reorg may still give it back");
    chain.at = () => ({ status: "Open", node: none, attempt: 1 });
    assert.equal((await factsOf(chain)).isFinallyOver, true);
    const next = aRecord({ attempt: 2 });
    assert.equal((await factsOf(chain, next)).isFinallyOver, false, "this node may be taking it over");
    chain.at = () => ({ status: "Expired", node: none, attempt: 1 });
    assert.equal((await factsOf(chain, next)).isFinallyOver, true, "nobody will have a second attempt");
  });

  it("has the deadline of its state", async () => {
    const chain = new Chain();
    const deadlines = async (status: LeaseStatus) => {
      chain.at = () => ({ status });
      const { startDeadline, completeBy, challengeEndsAt, answerUntil } = await factsOf(chain);
      return [startDeadline, completeBy, challengeEndsAt, answerUntil];
    };
    assert.deepEqual(await deadlines("Assigned"), [20, 0, 0, 0]);
    assert.deepEqual(await deadlines("Running"), [0, 30 + 600 + 30, 0, 0]);
    assert.deepEqual(await deadlines("Stopping"), [0, 20, 0, 0]);
    assert.deepEqual(await deadlines("Completed"), [0, 0, 20, 0]);
    assert.deepEqual(await deadlines("Disputed"), [0, 0, 0, 35]);
  });

  it("has its gang's deadline while it runs: none while the clock stands", async () => {
    const chain = new Chain();
    chain.task = { leaseCount: 2, verification: 0 };
    assert.equal((await factsOf(chain)).completeBy, Number.POSITIVE_INFINITY);
    chain.runDeadline = 777n;
    assert.equal((await factsOf(chain)).completeBy, 777);
    chain.task = { leaseCount: 2, verification: 1 };
    assert.equal((await factsOf(chain)).completeBy, 660, "replicas of a quorum have clocks of their own");
  });

  it("has its quorum's vote, and whether what opened the revealing is confirmed", async () => {
    const chain = new Chain();
    assert.equal((await factsOf(chain)).ballot, undefined);
    chain.task = { leaseCount: 3, verification: 1 };
    chain.at = () => ({ status: "Committed" });
    const running = (await factsOf(chain)).ballot;
    assert.deepEqual([running?.revealUntil, running?.allRevealedSince], [0, undefined]);
    chain.confirmedBallot = chain.ballot;
    chain.ballot = { committed: 3, revealed: 2, isTallied: false, revealUntil: 900n, winner: hex("00") };
    const open = (await factsOf(chain)).ballot;
    assert.deepEqual(
      [open?.revealUntil, open?.isOpenConfirmed, open?.allRevealedSince, open?.hasWinner, open?.revealWindow],
      [900, false, undefined, false, terms.revealWindow],
    );
    chain.confirmedBallot = chain.ballot;
    chain.ballot = { committed: 3, revealed: 3, isTallied: true, revealUntil: 900n, winner: hex("04") };
    const counted = (await factsOf(chain)).ballot;
    assert.deepEqual(
      [counted?.isOpenConfirmed, counted?.allRevealedSince, counted?.isTallied, counted?.hasWinner],
      [true, chain.head * 10, true, true],
    );
  });

  it("says why a gang's member has to stop", async () => {
    const chain = new Chain();
    chain.at = () => ({ status: "Stopping" });
    assert.equal((await factsOf(chain)).stopReason, "cancelled");
    chain.task = { leaseCount: 2, verification: 0 };
    assert.equal((await factsOf(chain)).stopReason, "peer-lost");
    chain.isCancelled = true;
    assert.equal((await factsOf(chain)).stopReason, "cancelled");
  });

  it("is the last that could be read, and marked so, while the chain cannot be read", async () => {
    const chain = new Chain();
    const reader = readerOf(chain);
    await reader.read(aRecord());
    chain.at = () => ({ status: "Expired" });
    chain.readable = false;
    const blind = (await reader.read(aRecord()))?.facts;
    assert.deepEqual([blind?.evidence, blind?.status, blind?.isMine], ["unreadable", "Running", true]);
    chain.readable = true;
    for (const code of ["RPC_UNAVAILABLE", "NOT_FOUND"] as const) {
      chain.failure = new DekuperError(code, "no answer");
      assert.equal((await reader.read(aRecord()))?.facts.evidence, "unreadable", code);
    }
  });

  it("is nothing where it was never readable, nor after it was forgotten", async () => {
    const chain = new Chain();
    chain.readable = false;
    assert.equal(await readerOf(chain).read(aRecord()), undefined);
    chain.readable = true;
    const reader = readerOf(chain);
    await reader.read(aRecord());
    reader.forget(aRecord());
    chain.readable = false;
    assert.equal(await reader.read(aRecord()), undefined);
  });
});

describe("what the planner is told besides", () => {
  it("is each journalled step", () => {
    const none = journalFacts(aRecord());
    assert.ok(Object.values(none).every((fact) => fact === false || fact === 0));
    const all = journalFacts(
      aRecord({
        steps: new Set(["pod_seen", "inputs_sent", "stop_asked", "released", "key_given", "torn_down"]),
        replica: { recipient: "age1x", sealedKey: "0x", salt: hex("05") },
        run,
        sealed,
        attestation: {} as never,
        signature: "0x00",
        receipt: "0x0e",
        ended: "Settled",
        podSeconds: 600,
      }),
    );
    assert.ok(Object.values(all).every((fact) => fact === true || fact === 600));
  });

  it("is where the pod stands, and for how long there has been none", () => {
    const observation: AttemptObservation = {
      chainId: 31337,
      registry: deployment.taskRegistry,
      leaseId,
      attempt: 1,
      namespace: "dkp",
      stage: "exited",
      createdAt: 1,
      terminating: true,
    };
    assert.deepEqual(clusterFacts(observation, undefined, 50), {
      isReachable: true,
      missingFor: 0,
      pod: { stage: "exited", isTerminating: true },
    });
    assert.deepEqual(clusterFacts(undefined, 20, 50), { isReachable: true, missingFor: 30, pod: undefined });
  });
});
