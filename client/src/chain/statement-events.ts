import { paymentEscrowAbi } from "@dekuper/protocol";
import { decodeEventLog, type Hex, type RpcLog } from "viem";
import type { Moved } from "../statement/movement.ts";

/** What a log of the escrow moved for consumers and owners; undefined for its other events and those of a later version. */
export function movedBy(log: Pick<RpcLog, "data" | "topics">): Moved | undefined {
  const event = decode(log);
  switch (event?.eventName) {
    case "Deposited":
      return { kind: "Deposited", ...event.args };
    case "Withdrawn":
      return { kind: "Withdrawn", ...event.args };
    case "Transferred":
      return { kind: "Transferred", ...event.args };
    case "Reserved":
      return { kind: "Reserved", ...event.args };
    case "Paid":
      return { kind: "Paid", ...event.args };
    case "Released":
      return { kind: "Released", ...event.args };
    case "Compensated":
      return { kind: "Compensated", ...event.args };
    case "BondPosted":
      return { kind: "BondPosted", ...event.args };
    case "BondReturned":
      return { kind: "BondReturned", ...event.args };
    case "BondAwarded":
      return { kind: "BondAwarded", ...event.args };
    case "EarningsWithdrawn":
      return { kind: "EarningsWithdrawn", ...event.args };
    case "StakeMoved":
      return { kind: "StakeMoved", ...event.args };
    case "StakeMigrated":
      return { kind: "StakeMigrated", ...event.args };
    case "StakeForfeited":
      return { kind: "StakeForfeited", ...event.args };
    // Nobody's account: what the protocol has earned, and what was forfeited to nobody.
    case "FeesWithdrawn":
    case "ForfeitedBurned":
    case undefined:
      return undefined;
  }
}

function decode({ data, topics }: Pick<RpcLog, "data" | "topics">) {
  try {
    return decodeEventLog({ abi: paymentEscrowAbi, data, topics: topics as [Hex, ...Hex[]] });
  } catch {
    return undefined;
  }
}
