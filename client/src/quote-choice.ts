import type { Address } from "viem";

/** What one node would take of an order, and what it asks for each lease. */
export interface NodeOffer {
  readonly node: Address;
  readonly owner: Address;
  /** Base units per hour, one lease. */
  readonly ratePerHour: bigint;
  /** Most leases of the order. */
  readonly members: number;
}

/** The leases that a node is to have, by index in the task. */
export interface Placement {
  readonly node: Address;
  readonly owner: Address;
  readonly ratePerHour: bigint;
  readonly members: readonly number[];
}

/**
 * Places leases on offers: the cheapest come first, so that no other choice costs less; among offers at the same rate each
 * lease goes to the owner that has fewest of the task, then to the node that has fewest. The number of providers is not
 * kept low. Pure, and the same for the same offers in any order. Undefined: they do not cover the leases. `apart`: each
 * lease goes to another owner, as a quorum's must: one owner's replicas would agree with themselves.
 */
export function placeLeases(
  offers: readonly NodeOffer[],
  leases: readonly number[],
  apart = false,
): Placement[] | undefined {
  const open = offers.map((offer) => ({ offer, members: [] as number[] }));
  const ofOwner = new Map<Address, number>();
  const owned = ({ offer }: { offer: NodeOffer }) => ofOwner.get(offer.owner) ?? 0;
  for (const lease of leases) {
    const [first, ...rest] = open.filter(
      (one) => one.members.length < one.offer.members && !(apart && owned(one) > 0),
    );
    if (first === undefined) return undefined;
    const best = rest.reduce((best, other) => (precedes(other, best, owned) ? other : best), first);
    best.members.push(lease);
    ofOwner.set(best.offer.owner, owned(best) + 1);
  }
  return open
    .filter(({ members }) => members.length > 0)
    .map(({ offer: { node, owner, ratePerHour }, members }) => ({ node, owner, ratePerHour, members }))
    .sort((a, b) => (a.members[0] ?? 0) - (b.members[0] ?? 0));
}

interface Taken {
  readonly offer: NodeOffer;
  readonly members: readonly number[];
}

function precedes(one: Taken, other: Taken, owned: (taken: Taken) => number): boolean {
  const differences = [
    one.offer.ratePerHour - other.offer.ratePerHour,
    owned(one) - owned(other),
    one.members.length - other.members.length,
    one.offer.node.toLowerCase() < other.offer.node.toLowerCase() ? -1 : 1,
  ];
  return (differences.find((difference) => BigInt(difference) !== 0n) ?? 0) < 0;
}
