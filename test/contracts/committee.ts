/** Builders: nodes with owners of their own, a committee of them, and its signed reports. */
import type { HDNodeWallet, TypedDataDomain } from "ethers";
import { readParameters } from "../../ignition/parameters.ts";
import {
  account,
  DOLLAR,
  deployMarket,
  domainOf,
  ethers,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
} from "./market.ts";

export interface Attester {
  readonly owner: HDNodeWallet;
  readonly operator: HDNodeWallet;
}

export interface ReportInput {
  epoch: bigint;
  committeeVersion: bigint;
  issuedAt: bigint;
  offline: string[];
  online: string[];
}

export const reportTypes = {
  Report: [
    { type: "uint64", name: "epoch" },
    { type: "uint32", name: "committeeVersion" },
    { type: "uint64", name: "issuedAt" },
    { type: "address[]", name: "offline" },
    { type: "address[]", name: "online" },
  ],
};

/** Reasons why a bid ended, in the order of `BidEnd`. */
export const bidEnds = { None: 0, Left: 1, Outbid: 2, Silent: 3, Inactive: 4, BelowMinimum: 5 };

const known = new Map<number, Attester>();

/** The n-th attester: an owner and an operator whom nobody else knows. */
export function attester(index: number): Attester {
  const found = known.get(index) ?? {
    owner: account(100 + 2 * index),
    operator: account(101 + 2 * index),
  };
  known.set(index, found);
  return found;
}

export const attesters = (count: number, from = 0) =>
  Array.from({ length: count }, (_, index) => attester(from + index));

export const ascending = (addresses: readonly string[]) =>
  addresses.toSorted((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));

/** Addresses of nodes that exist nowhere else, ascending. */
export const strangers = (count: number, from = 0) =>
  ascending(
    Array.from({ length: count }, (_, index) =>
      ethers.getAddress(ethers.id(`node ${from + index}`).slice(26)),
    ),
  );

/** The local market with times that no slow machine runs into, in seconds. */
export const times = { epochLength: 86_400, reportGrace: 40, reportCooldown: 60, reportLife: 120 };
export async function patientMarket(): Promise<Market> {
  const parameters = await readParameters("local");
  Object.assign(parameters.liveness.initial, times);
  return deployMarket(parameters);
}

/** Loads a fixture, and lets the chain's clock catch up with the machine's: a fixture's last block may be a minute old. */
export async function load(fixture: () => Promise<Market>): Promise<Market> {
  const market = await networkHelpers.loadFixture(fixture);
  await networkHelpers.mine();
  return market;
}

/** Registers the attester's node, with 1000 dollars of stake. */
export async function addNode(market: Market, { owner, operator }: Attester): Promise<void> {
  for (const { address } of [owner, operator]) await networkHelpers.setBalance(address, 10n ** 18n);
  await market.activeNode({}, operator, owner);
}

export async function bid(market: Market, { owner, operator }: Attester, amount = 100n * DOLLAR) {
  return market.liveness.connect(owner).bid(operator.address, amount);
}

/** Ends the running epoch at once. */
export async function rotate(market: Market) {
  const { epochEndsAt } = await market.liveness.committee();
  const timestamp = await now();
  await nextBlockAt(epochEndsAt >= timestamp ? epochEndsAt + 1n : timestamp + 1n);
  return market.liveness.rotate();
}

/** Gives these nodes the seats. */
export async function seat(market: Market, members: readonly Attester[]): Promise<void> {
  for (const member of members) {
    await addNode(market, member);
    await bid(market, member);
  }
  await rotate(market);
}

/** A report as of the latest block. */
export async function report(market: Market, changes: Partial<ReportInput> = {}): Promise<ReportInput> {
  const { epoch, committeeVersion } = await market.liveness.committee();
  return { epoch, committeeVersion, issuedAt: await now(), offline: [], online: [], ...changes };
}

export async function livenessDomain(market: Market): Promise<TypedDataDomain> {
  return domainOf("Dekuper Liveness", await market.liveness.getAddress());
}

/** The signers' signatures, ascending by signer. */
export async function signatures(
  market: Market,
  input: ReportInput,
  signers: readonly Attester[],
  domain: TypedDataDomain = {},
): Promise<string[]> {
  const whole = { ...(await livenessDomain(market)), ...domain };
  const sorted = signers.toSorted((a, b) =>
    BigInt(a.operator.address) < BigInt(b.operator.address) ? -1 : 1,
  );
  return Promise.all(sorted.map(({ operator }) => operator.signTypedData(whole, reportTypes, input)));
}

/** Signs a report as of the latest block and sends it; anyone may. */
export async function send(market: Market, signers: readonly Attester[], changes: Partial<ReportInput> = {}) {
  const input = await report(market, changes);
  return market.liveness.report(input, await signatures(market, input, signers));
}

/** Calls Liveness as another contract of the market. */
export async function as(market: Market, contract: "tasks" | "liveness") {
  const address = await market[contract].getAddress();
  await networkHelpers.impersonateAccount(address);
  await networkHelpers.setBalance(address, 10n ** 18n);
  return ethers.getSigner(address);
}
