/** Builders: a committee of four, and a result that is said to be missing. */
import { expect } from "chai";
import type { HDNodeWallet } from "ethers";
import {
  account,
  busyLocalMarket,
  DOLLAR,
  domainOf,
  ethers,
  type LeaseRef,
  type Market,
  networkHelpers,
  people,
} from "./market.ts";

const { consumer } = people;
export const attesters: readonly HDNodeWallet[] = [15, 16, 17, 18].map(account);

const receiptTypes = {
  Receipt: [
    { type: "bytes32", name: "leaseId" },
    { type: "uint32", name: "attempt" },
    { type: "bytes32", name: "attestationDigest" },
  ],
};
const verdictTypes = {
  DeliveryVerdict: [
    { type: "bytes32", name: "leaseId" },
    { type: "uint32", name: "attempt" },
    { type: "bytes32", name: "attestationDigest" },
    { type: "uint64", name: "claimedAt" },
    { type: "bool", name: "fetched" },
  ],
};

/** A market with a committee of four. */
export async function withCommittee(fixture = busyLocalMarket): Promise<Market> {
  const market = await fixture();
  for (const [index, operator] of attesters.entries()) {
    const holder = account(9 + index);
    await market.activeNode({ gpus: 0, gpuModel: "" }, operator, holder);
    await market.liveness.connect(holder).bid(operator.address, 200n * DOLLAR);
  }
  await networkHelpers.time.increase(market.parameters.liveness.initial.epochLength + 1);
  await market.liveness.rotate();
  return market;
}

/** A lease that ran for ten minutes and is completed. */
export async function completed(market: Market): Promise<LeaseRef> {
  const ref = await market.leaseIn("Running", { fundedSeconds: 3000 });
  await networkHelpers.time.increase(600);
  await market.complete(ref);
  return ref;
}

/** The same, and its consumer says that it cannot fetch the result. */
export async function claimed(market: Market): Promise<LeaseRef> {
  const ref = await completed(market);
  await market.tasks.connect(consumer).claimUndelivered(ref.leaseId);
  return ref;
}

/** What the consumer signs once it has the result. */
export async function receipt(market: Market, ref: LeaseRef, by: HDNodeWallet = consumer): Promise<string> {
  const { attempt, attestationDigest } = await market.tasks.getLease(ref.leaseId);
  const domain = await domainOf("Dekuper TaskRegistry", await market.tasks.getAddress());
  return by.signTypedData(domain, receiptTypes, { leaseId: ref.leaseId, attempt, attestationDigest });
}

/** What these attesters sign of the lease's claim, in the order that the contract wants. */
export async function verdicts(
  market: Market,
  ref: LeaseRef,
  fetched: boolean,
  by: readonly HDNodeWallet[],
): Promise<string[]> {
  const { attempt, attestationDigest } = await market.tasks.getLease(ref.leaseId);
  const { claimedAt } = await market.tasks.getClaim(ref.leaseId);
  const domain = await domainOf("Dekuper TaskRegistry", await market.tasks.getAddress());
  const message = { leaseId: ref.leaseId, attempt, attestationDigest, claimedAt, fetched };
  const hash = ethers.TypedDataEncoder.hash(domain, verdictTypes, message);
  expect(await market.tasks.verdictHash(ref.leaseId, fetched)).to.equal(hash);
  const ascending = [...by].sort((a, b) => (a.address.toLowerCase() < b.address.toLowerCase() ? -1 : 1));
  return Promise.all(ascending.map((attester) => attester.signTypedData(domain, verdictTypes, message)));
}
