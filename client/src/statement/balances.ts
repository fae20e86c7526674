/** What an account has in escrow, by what it is for. Base units. */
export interface Balances {
  /** Withdrawn at any time. */
  readonly free: bigint;
  /** For its live tasks. */
  readonly reserved: bigint;
  /** Earned by its nodes. */
  readonly earnings: bigint;
  /** Of its nodes. */
  readonly stake: bigint;
}

export const purses = ["free", "reserved", "earnings", "stake"] as const;
export type Purse = (typeof purses)[number];

export const noBalances: Balances = { free: 0n, reserved: 0n, earnings: 0n, stake: 0n };

export function addBalances(left: Balances, right: Balances): Balances {
  return mapBalances((purse) => left[purse] + right[purse]);
}

export function mapBalances(amountOf: (purse: Purse) => bigint): Balances {
  return {
    free: amountOf("free"),
    reserved: amountOf("reserved"),
    earnings: amountOf("earnings"),
    stake: amountOf("stake"),
  };
}

/** Everything that the account has in escrow. */
export function totalOf({ free, reserved, earnings, stake }: Balances): bigint {
  return free + reserved + earnings + stake;
}
