import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type NodeOffer, placeLeases } from "@dekuper/client";
import fc from "fast-check";
import { address } from "./builders.ts";

const offer = (node: number, ratePerHour: bigint, members = 64, owner = node): NodeOffer => ({
  node: address(node),
  owner: address(100 + owner),
  ratePerHour,
  members,
});
const leases = (count: number) => Array.from({ length: count }, (_, index) => index);

/** How many leases each node gets. */
function shares(offers: readonly NodeOffer[], count: number): Record<string, number> | undefined {
  const placements = placeLeases(offers, leases(count));
  return (
    placements && Object.fromEntries(placements.map(({ node, members }) => [Number(node), members.length]))
  );
}

describe("leases are placed", () => {
  it("on the cheapest offers first, all on one provider where it is the cheapest", () => {
    assert.deepEqual(shares([offer(1, 3n), offer(2, 2n), offer(3, 4n)], 8), { 2: 8 });
    assert.deepEqual(shares([offer(1, 3n, 2), offer(2, 2n, 3), offer(3, 4n)], 7), { 2: 3, 1: 2, 3: 2 });
  });

  it("at the same rate by turns on owners, whatever the number of their nodes", () => {
    assert.deepEqual(shares([offer(1, 2n, 64, 1), offer(2, 2n, 64, 1), offer(3, 2n, 64, 2)], 4), {
      1: 1,
      2: 1,
      3: 2,
    });
  });

  it("at the same rate on those who have none yet, at the cheaper rates too", () => {
    const cheap = offer(1, 1n, 1, 7);
    assert.deepEqual(shares([cheap, offer(2, 2n, 64, 7), offer(3, 2n, 64, 8)], 2), { 1: 1, 3: 1 });
  });

  it("nowhere where the offers do not cover them all", () => {
    assert.equal(shares([offer(1, 1n, 2), offer(2, 1n, 1)], 4), undefined);
    assert.equal(shares([], 1), undefined);
  });

  const offers = fc
    .array(
      fc.record({
        ratePerHour: fc.bigInt({ min: 1n, max: 4n }),
        members: fc.integer({ min: 1, max: 6 }),
        owner: fc.integer({ min: 1, max: 3 }),
      }),
      { maxLength: 7 },
    )
    .map((all) =>
      all.map(({ ratePerHour, members, owner }, index) => offer(index + 1, ratePerHour, members, owner)),
    );
  const wanted = fc.integer({ min: 1, max: 12 });

  it("each once, on no node more than it offered, exactly when the offers cover them", () => {
    fc.assert(
      fc.property(offers, wanted, (all, count) => {
        const placements = placeLeases(all, leases(count));
        const offered = all.reduce((sum, { members }) => sum + members, 0);
        assert.equal(placements === undefined, offered < count);
        const placed = (placements ?? []).flatMap(({ members }) => members);
        if (placements !== undefined)
          assert.deepEqual(
            placed.sort((a, b) => a - b),
            leases(count),
          );
        for (const { node, members } of placements ?? [])
          assert.ok(members.length <= (all.find((other) => other.node === node)?.members ?? 0));
      }),
    );
  });

  it("apart, each with another owner, on that one's cheapest node, where a quorum's are to be placed", () => {
    fc.assert(
      fc.property(offers, fc.integer({ min: 1, max: 4 }), (all, count) => {
        const placements = placeLeases(all, leases(count), true);
        const cheapest = new Map<string, bigint>();
        for (const { owner, ratePerHour } of all) {
          const known = cheapest.get(owner);
          if (known === undefined || ratePerHour < known) cheapest.set(owner, ratePerHour);
        }
        assert.equal(placements === undefined, cheapest.size < count);
        if (placements === undefined) return;
        assert.deepEqual(
          placements.map(({ members }) => members),
          leases(count).map((index) => [index]),
        );
        assert.equal(new Set(placements.map(({ owner }) => owner)).size, count);
        const least = [...cheapest.values()].sort((a, b) => Number(a - b)).slice(0, count);
        assert.deepEqual(placements.map(({ ratePerHour }) => ratePerHour).sort(), least.sort());
      }),
    );
  });

  it("so that no other choice costs less", () => {
    fc.assert(
      fc.property(offers, wanted, (all, count) => {
        const placements = placeLeases(all, leases(count));
        if (placements === undefined) return;
        const cost = placements.reduce(
          (sum, { ratePerHour, members }) => sum + ratePerHour * BigInt(members.length),
          0n,
        );
        const units = all.flatMap(({ ratePerHour, members }) => leases(members).map(() => ratePerHour));
        const least = units
          .sort((a, b) => Number(a - b))
          .slice(0, count)
          .reduce((sum, rate) => sum + rate, 0n);
        assert.equal(cost, least);
      }),
    );
  });

  it("so that at one rate no owner has two more than another who had room for one", () => {
    fc.assert(
      fc.property(offers, wanted, (all, count) => {
        const placements = placeLeases(all, leases(count)) ?? [];
        const has = (node: string) =>
          placements.find((placement) => placement.node === node)?.members.length ?? 0;
        const owns = (owner: string) =>
          placements
            .filter((placement) => placement.owner === owner)
            .reduce((sum, { members }) => sum + members.length, 0);
        for (const from of placements)
          for (const to of all)
            if (to.ratePerHour === from.ratePerHour && has(to.node) < to.members && to.owner !== from.owner)
              assert.ok(
                owns(from.owner) <= owns(to.owner) + 1,
                `${from.node} has one too many for ${to.node}`,
              );
      }),
      { numRuns: 1_000 },
    );
  });

  it("alike, in whatever order the offers came", () => {
    fc.assert(
      fc.property(offers, wanted, fc.infiniteStream(fc.nat()), (all, count, order) => {
        const keyed = all.map((one) => ({ one, key: order.next().value ?? 0 }));
        const shuffled = keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
        assert.deepEqual(placeLeases(shuffled, leases(count)), placeLeases(all, leases(count)));
      }),
    );
  });
});
