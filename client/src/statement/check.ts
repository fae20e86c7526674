import type { Address } from "viem";
import { type Balances, type Purse, purses } from "./balances.ts";
import type { Statement } from "./statement.ts";

/** What the chain says of an account at one block. */
export interface ChainBalances {
  readonly block: bigint;
  readonly balances: Balances;
  /** Stake of each node that the statement names. */
  readonly stakes: ReadonlyMap<Address, bigint>;
}

/** Where lines and chain disagree. `node` where it is one node's stake. */
export interface Difference {
  readonly purse: Purse;
  readonly node?: Address;
  readonly lines: bigint;
  readonly chain: bigint;
}

/** Whether the lines' sum is what the chain says the account has. */
export interface StatementCheck {
  readonly block: bigint;
  readonly agrees: boolean;
  readonly differences: readonly Difference[];
}

export function checkStatement(statement: Statement, chain: ChainBalances): StatementCheck {
  const ofPurses = purses
    .filter((purse) => purse !== "stake")
    .map((purse) => ({ purse, lines: statement.now[purse], chain: chain.balances[purse] }));
  const ofNodes = [...statement.stakes].map(([node, lines]) => ({
    purse: "stake" as const,
    node,
    lines,
    chain: chain.stakes.get(node) ?? 0n,
  }));
  const differences = [...ofPurses, ...ofNodes].filter(({ lines, chain: said }) => lines !== said);
  return { block: chain.block, agrees: differences.length === 0, differences };
}
