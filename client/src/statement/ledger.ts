import type { Address, Hex } from "viem";
import { addBalances, type Balances, noBalances, type Purse, purses } from "./balances.ts";
import type { Moved, Movement } from "./movement.ts";
import { faultsOfPay, type PayFault } from "./pay.ts";

/** Why a line cannot be what happened. */
export type Fault =
  | PayFault
  | { readonly kind: "overdrawn"; readonly purse: Purse; readonly short: bigint }
  | { readonly kind: "over-reservation"; readonly taskId: Hex; readonly short: bigint };

/** One movement as the account sees it. */
export interface StatementLine {
  readonly movement: Movement;
  /** What it added to each purse, below zero where it took. */
  readonly change: Balances;
  /** What was in each purse after it. */
  readonly balance: Balances;
  /** Empty where the line recomputes. */
  readonly faults: readonly Fault[];
}

/** The books of one account, written movement by movement in the chain's order. */
export interface Ledger {
  readonly balances: Balances;
  /** What is left of each task's reservation; tasks with nothing left are not in it. */
  readonly reservations: ReadonlyMap<Hex, bigint>;
  /** Stake of each of the account's nodes, those with none left too. */
  readonly stakes: ReadonlyMap<Address, bigint>;
  /** The line of the next movement, or undefined for one that moves nothing of this account's. */
  enter(movement: Movement): StatementLine | undefined;
}

export function openLedger(account: Address): Ledger {
  let balances = noBalances;
  const reservations = new Map<Hex, bigint>();
  const stakes = new Map<Address, bigint>();
  return {
    get balances() {
      return balances;
    },
    reservations,
    stakes,
    enter(movement) {
      const isOwnNode = (node: Address) => stakes.has(node);
      if (movement.kind === "StakeMoved" && isSame(movement.owner, account) && !isOwnNode(movement.node)) {
        stakes.set(movement.node, 0n);
      }
      const change = changeOf(movement, account, isOwnNode);
      const isPay = movement.kind === "Paid" && concerns(movement, account);
      const isMigration = movement.kind === "StakeMigrated" && isOwnNode(movement.from);
      if (!isPay && !isMigration && purses.every((purse) => change[purse] === 0n)) return undefined;
      balances = addBalances(balances, change);
      const addStake = (node: Address, amount: bigint) => stakes.set(node, (stakes.get(node) ?? 0n) + amount);
      if ("node" in movement && isOwnNode(movement.node)) addStake(movement.node, change.stake);
      if (isMigration) {
        addStake(movement.from, -movement.amount);
        addStake(movement.to, movement.amount);
      }
      const faults: Fault[] = isPay ? faultsOfPay(movement) : [];
      for (const purse of purses) {
        if (balances[purse] < 0n) faults.push({ kind: "overdrawn", purse, short: -balances[purse] });
      }
      if ("taskId" in movement) {
        const left = (reservations.get(movement.taskId) ?? 0n) + change.reserved;
        if (left === 0n) reservations.delete(movement.taskId);
        else reservations.set(movement.taskId, left);
        if (left < 0n) faults.push({ kind: "over-reservation", taskId: movement.taskId, short: -left });
      }
      return { movement, change, balance: balances, faults };
    },
  };
}

/** What a movement does to the account; nothing where it is another's. */
function changeOf(moved: Moved, account: Address, isOwnNode: (node: Address) => boolean): Balances {
  const mine = (address: Address, change: Partial<Balances>): Balances =>
    isSame(address, account) ? { ...noBalances, ...change } : noBalances;
  const stakeOf = (node: Address, amount: bigint): Balances =>
    isOwnNode(node) ? { ...noBalances, stake: -amount } : noBalances;
  switch (moved.kind) {
    case "Deposited":
      return mine(moved.account, { free: moved.amount });
    case "Withdrawn":
      return mine(moved.account, { free: -moved.amount });
    case "Transferred":
      return addBalances(mine(moved.from, { free: -moved.amount }), mine(moved.to, { free: moved.amount }));
    case "Reserved":
      return mine(moved.consumer, { free: -moved.amount, reserved: moved.amount });
    case "Paid":
      return addBalances(
        mine(moved.consumer, { reserved: -moved.gross }),
        mine(moved.owner, { earnings: moved.gross - moved.fee }),
      );
    case "Released":
      return mine(moved.consumer, { free: moved.amount, reserved: -moved.amount });
    case "Compensated":
      return addBalances(stakeOf(moved.node, moved.amount), mine(moved.owner, { earnings: moved.amount }));
    case "BondPosted":
      return mine(moved.account, { free: -moved.amount });
    case "BondReturned":
      return mine(moved.account, { free: moved.amount });
    case "BondAwarded":
      return mine(moved.owner, { earnings: moved.amount });
    case "EarningsWithdrawn":
      return mine(moved.owner, { earnings: -moved.amount });
    case "StakeMoved": {
      const amount = moved.intoStake ? moved.amount : -moved.amount;
      return mine(moved.owner, { free: -amount, stake: amount });
    }
    case "StakeMigrated":
      return noBalances;
    case "StakeForfeited":
      return addBalances(
        stakeOf(moved.node, moved.burned + moved.reward),
        mine(moved.reporter, { free: moved.reward }),
      );
  }
}

function concerns({ consumer, owner }: { consumer: Address; owner: Address }, account: Address): boolean {
  return isSame(consumer, account) || isSame(owner, account);
}

/** Addresses come with and without checksums. */
export function isSame(left: Address, right: Address): boolean {
  return left.toLowerCase() === right.toLowerCase();
}
