import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Hex } from "viem";
import { undoAll } from "../../src/daemon/upkeep.ts";
import { REPORTED_SILENCE_MS } from "../../src/plan/liveness.ts";
import { type CommitteeNetwork, GRACE, type Member, startCommittee } from "./network.ts";

const SEATS = 7;
const QUORUM = 5;

const undo: (() => unknown)[] = [];
let network: CommitteeNetwork;
/** Who is still there. */
let alive: Member[];

before(async () => {
  network = await startCommittee(undo, SEATS - 1);
  alive = [...network.members];
});
after(() => undoAll(undo), { timeout: 120_000 });

/** A lease that one of the daemons has taken and runs. */
async function runningLease(change: { failoverAfter: number; maxAttempts: number }) {
  const leaseId = await network.order(change);
  await network.until("the lease runs", async () => (await network.lease(leaseId)).status === "Running");
  const { node } = await network.lease(leaseId);
  const holder = alive.find((member) => member.node === node);
  assert.ok(holder, "one of the daemons holds it");
  return { leaseId, holder };
}

/** Reports that it has proposed and that call somebody offline. */
const reportsOf = ({ events }: Member) =>
  events.filter((event) => /^report-(agreed|without-quorum) .*"offline":[1-9]/.test(event));
const offline = (node: Hex) => ({ offline: [node], online: [] });

describe("a committee of six daemons and a liar", () => {
  it("takes its seats by itself once the owners have bid", async () => {
    const { until, committee, members, liar } = network;
    await until("all have seats", async () => (await committee()).seats.length === SEATS);
    const { seats } = await committee();
    assert.deepEqual(new Set(seats), new Set([liar.node, ...members.map(({ node }) => node)]));
    for (const { name, oracle } of members)
      await until(`${name} knows of its seat`, async () => (await statusOf(oracle.url)).committee.isSeated);
  });

  it("signs nothing that it has not seen: a liar's report has the liar's signature alone", async () => {
    const { members, liar, committee, client, send, historyOf, until } = network;
    await until("all are connected", () => liar.peer.connectedNodes().length === members.length);
    await sleep(REPORTED_SILENCE_MS + 5_000); // all have listened for long enough to know who is silent
    const [victim] = members as [Member];
    const { epoch, committeeVersion } = await committee();
    const issuedAt = Number((await client.getBlock()).timestamp);
    const lie = { epoch, committeeVersion, issuedAt, ...offline(victim.node) };
    const answers = await Promise.all(
      members.map(({ node }) => liar.peer.askReport(node, lie, AbortSignal.timeout(30_000))),
    );
    for (const answer of answers) assert.deepEqual(answer, { offline: [], online: [] });
    await assert.rejects(send(offline(victim.node), [liar.provider]), /QuorumNotReached/);
    assert.deepEqual(await historyOf(victim.node), []);
  });

  it("that lies with a whole quorum costs a living node nothing: it answers while the report is pending", async () => {
    const { members, liar, until, send, historyOf, offlineSeconds, client } = network;
    const [victim, ...others] = members as [Member, ...Member[]];
    const liars = [liar, ...others.slice(0, QUORUM - 1)].map(({ provider }) => provider);
    const { blockNumber } = await send(offline(victim.node), liars);
    await until("the victim has answered", async () => (await historyOf(victim.node)).length > 1);
    assert.deepEqual(await historyOf(victim.node), ["OfflineReported", "OfflineVoided"]);
    const { timestamp } = await client.getBlock({ blockNumber });
    await until(
      "its grace is over",
      async () => (await client.getBlock()).timestamp > timestamp + BigInt(GRACE),
    );
    assert.equal(await offlineSeconds(victim.node), 0);
  });

  it("has no word of a seat that is cut off from it, which answers on chain as long as it reaches that", async () => {
    const { until, cut, mend, wires, historyOf, offlineSeconds } = network;
    const [member] = alive.slice(-1) as [Member];
    const before = reportsOf(member).length;
    cut(member, { chain: false });
    await until("it is alone", () => wires.open(member.name) === 0);
    await until("it is reported", async () => (await historyOf(member.node)).includes("OfflineReported"));
    await until("it has answered", async () => (await historyOf(member.node)).includes("OfflineVoided"));
    assert.equal(await offlineSeconds(member.node), 0);
    assert.equal(reportsOf(member).length, before, "to it all others are silent, and it says so of nobody");
    mend(member);
    await until("it is back", async () => (await statusOf(member.oracle.url)).connected.length >= QUORUM);
  });

  it("finds a node offline that is cut off from everything; it comes back, and its run is paid less the time away", async () => {
    const { until, cut, mend, lease, historyOf, offlineSince, offlineSeconds } = network;
    const { leaseId, holder } = await runningLease({ failoverAfter: 7_200, maxAttempts: 1 });
    cut(holder, { chain: true });
    await until("it is offline", async () => (await offlineSince(holder.node)) !== 0);
    mend(holder);
    await until("it has come back", async () => (await historyOf(holder.node)).includes("OfflineEnded"));
    const down = await offlineSeconds(holder.node);
    assert.ok(down > GRACE, `${down} seconds offline`);
    assert.equal((await lease(leaseId)).status, "Running", "it was not lost: its order allows longer");
    holder.cluster.exit();
    await until("it is settled", async () => (await lease(leaseId)).status === "Settled");
    const { startedAt, lastClaimAt, billedSeconds, downSeconds } = await lease(leaseId);
    assert.equal(Number(downSeconds), down);
    assert.ok(billedSeconds + downSeconds <= lastClaimAt - startedAt);
    assert.ok(billedSeconds > 0n);
    assert.equal(await offlineSeconds(holder.node), down, "no second is given back, and none is added");
  });

  it("finds a killed node offline, whose lease goes on elsewhere", async () => {
    const { until, cut, lease, offlineSince, offlineSeconds } = network;
    const { leaseId, holder } = await runningLease({ failoverAfter: 10, maxAttempts: 2 });
    cut(holder, { chain: true });
    await holder.oracle.stop();
    alive = alive.filter((member) => member !== holder);
    await until("it is offline", async () => (await offlineSince(holder.node)) !== 0);
    const runsElsewhere = async () => {
      const { status, attempt, node } = await lease(leaseId);
      return status === "Running" && attempt === 2 && node !== holder.node;
    };
    await until("its lease runs elsewhere", runsElsewhere);
    const before = await offlineSeconds(holder.node);
    await until("it stays offline", async () => (await offlineSeconds(holder.node)) > before);
  });

  it("vacates the seat that nobody holds any more, and no other", async () => {
    const { until, committee, liar } = network;
    await until("the seat is vacated", async () => (await committee()).seats.length < SEATS, 240);
    const { seats } = await committee();
    assert.deepEqual(new Set(seats), new Set([liar.node, ...alive.map(({ node }) => node)]));
  });
});

async function statusOf(url: string) {
  const answer = await fetch(`${url}/status`);
  return (await answer.json()) as { committee: { isSeated: boolean; epoch: number }; connected: Hex[] };
}
