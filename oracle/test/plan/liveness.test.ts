import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { byAddress, MAX_REPORT_CHANGES } from "@dekuper/protocol";
import fc from "fast-check";
import { type Address, getAddress } from "viem";
import {
  agreeOn,
  type Changes,
  type Hearing,
  isEmpty,
  planReport,
  REPORTED_SILENCE_MS,
  SILENCE_MS,
  supportedOf,
  type WatchedNode,
} from "../../src/plan/liveness.ts";
import { T0 } from "./builders.ts";

/** The wall clock, Unix milliseconds; the chain's clock is a day behind, so that nobody takes one for the other. */
const NOW = (T0 + 86_400) * 1000;
const HEAD = { timestamp: T0, seenAt: NOW };
const HEARS: Hearing = { now: NOW, since: NOW - 600_000 };
const COOLDOWN = 120;

const address = (index: number): Address => getAddress(`0x${index.toString(16).padStart(40, "0")}`);
const SELF = address(0xff);

function aNode(index: number, change: Partial<WatchedNode> = {}): WatchedNode {
  const record = { since: 0, pendingUntil: 0, reportedAt: 0, knownAt: 0 };
  return { node: address(index), lastHeard: NOW - 1_000, listedSince: 0, record, ...change };
}
const heldOffline = (since: number) => ({
  since,
  pendingUntil: since + 60,
  reportedAt: since,
  knownAt: since,
});
const silentFor = (ms: number) => ({ lastHeard: NOW - ms });

const report = (nodes: readonly WatchedNode[], hearing = HEARS, head = HEAD) =>
  planReport(nodes, hearing, head, COOLDOWN);
const offline = (...nodes: Address[]): Changes => ({ offline: nodes, online: [] });
const NOTHING = offline();

describe("an attester's report", () => {
  it("names who was silent for longer than a heartbeat may be late, and nobody who is there", () => {
    const nodes = [
      aNode(1),
      aNode(2, silentFor(REPORTED_SILENCE_MS - 1)),
      aNode(3, silentFor(REPORTED_SILENCE_MS)),
    ];
    assert.deepEqual(report(nodes), offline(address(3)));
  });

  it("names nobody who was never heard before this node has listened for as long", () => {
    const never = aNode(1, { lastHeard: undefined });
    const since = (ms: number): Hearing => ({ now: NOW, since: NOW - ms });
    assert.deepEqual(report([never], since(REPORTED_SILENCE_MS - 1)), NOTHING);
    assert.deepEqual(report([never], since(REPORTED_SILENCE_MS)), offline(address(1)));
    const listed = { ...never, listedSince: NOW - REPORTED_SILENCE_MS + 1 };
    assert.deepEqual(report([listed]), NOTHING, "registered a moment ago");
  });

  it("is empty while this node is cut off itself", () => {
    const nodes = [aNode(1, silentFor(10 ** 6)), aNode(2, { record: heldOffline(T0 - 100) })];
    assert.deepEqual(report(nodes, { now: NOW, since: undefined }), NOTHING);
  });

  it("takes a node's act on chain as a sign of life", () => {
    const acted = (ago: number) =>
      aNode(1, { ...silentFor(10 ** 6), record: { ...aNode(1).record, knownAt: T0 - ago } });
    assert.deepEqual(report([acted(REPORTED_SILENCE_MS / 1000 - 1)]), NOTHING);
    assert.deepEqual(report([acted(REPORTED_SILENCE_MS / 1000)]), offline(address(1)));
  });

  it("takes back who is heard again, and was heard since the chain holds it offline", () => {
    const back = aNode(1, { record: heldOffline(T0 - 100) });
    assert.deepEqual(report([back]), { offline: [], online: [address(1)] });
    assert.deepEqual(report([{ ...back, record: heldOffline(T0 - 1) }]), NOTHING, "heard before the report");
    assert.deepEqual(report([{ ...back, ...silentFor(7_000) }]), NOTHING, "not heard lately");
  });

  it("leaves out what the contract would skip: what is so, stale, or within the cooldown", () => {
    const silent = silentFor(10 ** 6);
    const held = aNode(1, { ...silent, record: heldOffline(T0 - 1000) });
    const stale = aNode(2, { ...silent, record: { ...aNode(2).record, knownAt: T0 } });
    const voided = (ago: number) =>
      aNode(3, { ...silent, record: { since: 0, pendingUntil: 0, reportedAt: T0 - ago, knownAt: T0 - ago } });
    assert.deepEqual(report([held, stale, voided(COOLDOWN - 1)]), NOTHING);
    assert.deepEqual(report([voided(COOLDOWN)]), offline(address(3)));
  });

  it("is as the contract takes it, whatever there is to report", () =>
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 1, max: 10_000 }), { maxLength: 200 }), (indices) => {
        const nodes = indices.map((index) =>
          index % 3 === 0
            ? aNode(index, { record: heldOffline(T0 - 100) })
            : aNode(index, silentFor(REPORTED_SILENCE_MS)),
        );
        const changes = report(nodes);
        for (const list of [changes.offline, changes.online])
          assert.deepEqual(list, [...new Set(list)].sort(byAddress));
        assert.equal(
          changes.offline.length + changes.online.length,
          Math.min(nodes.length, MAX_REPORT_CHANGES),
        );
      }),
    ));
});

describe("a seat that is asked to sign", () => {
  const supported = (asked: Changes, nodes: readonly WatchedNode[], hearing = HEARS) =>
    supportedOf(asked, SELF, (node) => nodes.find((entry) => entry.node === node), hearing, HEAD);

  it("puts its name to what it has seen itself, and to nothing else", () => {
    const nodes = [
      aNode(1),
      aNode(2, silentFor(SILENCE_MS)),
      aNode(3, { record: heldOffline(T0 - 100) }),
      aNode(4, { ...silentFor(10 ** 6), record: heldOffline(T0 - 100) }),
    ];
    const all = { offline: [1, 2].map(address), online: [3, 4, 5].map(address) };
    assert.deepEqual(supported(all, nodes), { offline: [address(2)], online: [address(3)] });
    assert.deepEqual(supported(all, nodes, { now: NOW, since: undefined }), NOTHING);
  });

  it("never calls itself offline, and knows that it is there", () => {
    assert.deepEqual(supported(offline(SELF), [aNode(0xff, silentFor(10 ** 6))]), NOTHING);
    assert.deepEqual(supported({ offline: [], online: [SELF] }, []), { offline: [], online: [SELF] });
  });

  it("agrees with every report that another would make of the same silence", () =>
    fc.assert(
      fc.property(
        fc.array(fc.nat(60_000), { maxLength: 20 }),
        fc.integer({ min: -1500, max: 1500 }),
        (silences, skew) => {
          const nodes = silences.map((ms, index) => aNode(index + 1, silentFor(ms)));
          const asked = report(nodes);
          const here = nodes.map((node) => ({ ...node, lastHeard: (node.lastHeard ?? 0) + skew }));
          assert.deepEqual(supported(asked, here), asked);
        },
      ),
    ));
});

describe("what a quorum agrees on", () => {
  const [a, b, c] = [1, 2, 3].map(address) as [Address, Address, Address];

  it("is all of it where all have seen it, and nothing where too few have", () => {
    const asked = offline(a, b);
    assert.deepEqual(agreeOn(asked, [asked, asked, asked], 3), asked);
    assert.deepEqual(agreeOn(asked, [asked, offline(a), offline(b)], 3), NOTHING);
  });

  it("leaves out what one side has not seen, so that the rest can be signed", () => {
    const asked = { offline: [a, b], online: [c] };
    const without = { offline: [a], online: [c] };
    assert.deepEqual(agreeOn(asked, [asked, asked, without, without], 4), without);
  });

  it("is always seen as a whole by a quorum, and is nothing only if no entry has one", () => {
    const asked = offline(...[1, 2, 3, 4, 5].map(address));
    const answer = fc.subarray([...asked.offline]).map((seen) => offline(...seen));
    fc.assert(
      fc.property(fc.array(answer, { maxLength: 16 }), fc.integer({ min: 1, max: 11 }), (answers, quorum) => {
        const kept = agreeOn(asked, answers, quorum);
        const whole = answers.filter(({ offline: seen }) =>
          kept.offline.every((node) => seen.includes(node)),
        );
        if (!isEmpty(kept)) assert.ok(whole.length >= quorum);
        const bySome = asked.offline.some(
          (node) => answers.filter(({ offline: seen }) => seen.includes(node)).length >= quorum,
        );
        assert.equal(isEmpty(kept), !bySome);
      }),
    );
  });
});
