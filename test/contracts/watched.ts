/** Four seats, and a node that they watch. */
import { addNode, attester, attesters, patientMarket, type ReportInput, seat, send } from "./committee.ts";
import { ethers, type Market, now } from "./market.ts";

export const members = attesters(4);
export const target = attester(20);
export const node = target.operator.address;

export async function watched(): Promise<Market> {
  const market = await patientMarket();
  await addNode(market, target);
  await seat(market, members);
  return market;
}

/** The node is reported offline; answers since when. */
export async function reported(market: Market, changes: Partial<ReportInput> = {}): Promise<bigint> {
  await send(market, members, { offline: [node], ...changes });
  return now();
}

/** What stands on chain at a time: a view is of the latest block. */
export async function at(market: Market, timestamp: bigint) {
  await ethers.provider.send("evm_setNextBlockTimestamp", [`0x${timestamp.toString(16)}`]);
  await ethers.provider.send("evm_mine", []);
  return {
    seconds: await market.liveness.offlineSecondsOf(node),
    since: await market.liveness.offlineSince(node),
  };
}
