import type { Balances, Moved, Movement } from "@dekuper/client";
import { fee, gross } from "@dekuper/protocol";
import fc from "fast-check";
import type { Address, Hex } from "viem";
import { address } from "../builders.ts";

export const accounts: readonly Address[] = [address(1), address(2), address(3)];
/** Each with its owner; the third account owns none. */
const nodes: readonly { readonly node: Address; readonly owner: Address }[] = [
  { node: address(11), owner: address(1) },
  { node: address(12), owner: address(2) },
  { node: address(13), owner: address(2) },
];
/** Where the second owner's stake may migrate to. */
const spare = { from: address(13), to: address(14) };
export const taskId = (index: number): Hex => `0x${(1000 + index).toString(16).padStart(64, "0")}`;
const FEE_BPS = 100;

/** What an escrow did, and what its own books say afterwards. */
export interface History {
  readonly movements: readonly Movement[];
  balancesOf(account: Address): Balances;
  stakeOf(node: Address): bigint;
}

/** Numbers that choose the next step; amounts are cut to what the books allow, and a step that they do not is skipped. */
type Step = readonly [
  what: number,
  who: number,
  other: number,
  amount: bigint,
  seconds: number,
  down: number,
];

const stepArbitrary: fc.Arbitrary<Step> = fc.tuple(
  fc.nat(14),
  fc.nat(2),
  fc.nat(2),
  fc.bigInt(1n, 50_000_000n),
  fc.nat(7_200),
  fc.nat(7_200),
);

/** Any history that the contract allows, several movements a block. */
export const histories: fc.Arbitrary<History> = fc
  .array(stepArbitrary, { minLength: 1, maxLength: 120, size: "max" })
  .map((steps) => play(steps));

/** An escrow kept by hand: accounts and totals as its contract has them, not as a statement counts. */
function play(steps: readonly Step[]): History {
  const free = new Map<Address, bigint>();
  const earnings = new Map<Address, bigint>();
  const stake = new Map<Address, bigint>();
  const reserved = new Map<string, { readonly consumer: Address; readonly taskId: Hex; amount: bigint }>();
  const movements: Movement[] = [];
  const of = (book: Map<Address, bigint>, whose: Address) => book.get(whose) ?? 0n;
  const add = (book: Map<Address, bigint>, whose: Address, amount: bigint) =>
    book.set(whose, of(book, whose) + amount);
  const emit = (moved: Moved) => {
    const index = movements.length;
    const block = BigInt(10 + Math.floor(index / 3));
    movements.push({
      ...moved,
      block,
      time: 1_700_000_000n + block * 12n,
      hash: `0x${index.toString(16).padStart(64, "0")}`,
      logIndex: index % 3,
    });
  };

  for (const [what, who, other, amount, seconds, down] of steps) {
    const account = accounts[who] ?? address(1);
    const party = accounts[other] ?? address(1);
    const { node, owner } = nodes[other] ?? { node: address(11), owner: address(1) };
    const task = taskId(who * 3 + other);
    const held = reserved.get(task) ?? { consumer: account, taskId: task, amount: 0n };
    switch (what) {
      case 0:
      case 1:
      case 2:
        add(free, account, amount);
        emit({ kind: "Deposited", account, from: party, amount });
        break;
      case 3: {
        const taken = cut(amount, of(free, account));
        add(free, account, -taken);
        emit({ kind: "Withdrawn", account, to: party, amount: taken });
        break;
      }
      case 4:
      case 5: {
        const taken = cut(amount, of(free, account));
        add(free, account, -taken);
        held.amount += taken;
        reserved.set(task, held);
        emit({ kind: "Reserved", consumer: account, taskId: task, amount: taken });
        break;
      }
      case 6:
      case 7: {
        const [ranSeconds, downSeconds] = [BigInt(seconds), BigInt(Math.min(down, seconds))];
        const most = ranSeconds === downSeconds ? amount : (held.amount * 3600n) / (ranSeconds - downSeconds);
        const ratePerHour = cut(amount, most);
        const pay = gross(ratePerHour, ranSeconds - downSeconds);
        const kept = fee(pay, FEE_BPS);
        held.amount -= pay;
        add(earnings, owner, pay - kept);
        const attempt = 1 + (seconds % 3);
        const { consumer } = held;
        emit({
          ...{ kind: "Paid", leaseId: task, taskId: task, consumer, owner, attempt },
          ...{ ranSeconds, downSeconds, ratePerHour, gross: pay, fee: kept },
        });
        break;
      }
      case 8:
        add(free, held.consumer, held.amount);
        emit({ kind: "Released", consumer: held.consumer, taskId: task, amount: held.amount });
        held.amount = 0n;
        break;
      case 9: {
        const taken = cut(amount, of(stake, node));
        add(stake, node, -taken);
        add(earnings, party, taken);
        emit({ kind: "Compensated", leaseId: task, node, owner: party, amount: taken });
        break;
      }
      case 10: {
        const taken = cut(amount, of(earnings, account));
        add(earnings, account, -taken);
        emit({ kind: "EarningsWithdrawn", owner: account, to: party, amount: taken });
        break;
      }
      case 11: {
        const intoStake = seconds % 3 > 0;
        const moved = cut(amount, intoStake ? of(free, owner) : of(stake, node));
        add(free, owner, intoStake ? -moved : moved);
        add(stake, node, intoStake ? moved : -moved);
        emit({ kind: "StakeMoved", node, owner, amount: moved, intoStake });
        break;
      }
      case 12: {
        const given = cut(amount, of(free, account));
        add(free, account, -given);
        add(free, party, given);
        emit({ kind: "Transferred", from: account, to: party, amount: given });
        const migrated = of(stake, spare.from);
        if (seconds % 2 === 0 || migrated === 0n) break;
        add(stake, spare.from, -migrated);
        add(stake, spare.to, migrated);
        emit({ kind: "StakeMigrated", ...spare, amount: migrated });
        break;
      }
      case 13: {
        const atRisk = cut(amount, of(free, account));
        add(free, account, -atRisk);
        emit({ kind: "BondPosted", account, leaseId: task, amount: atRisk });
        if (seconds % 3 === 0) break;
        if (seconds % 3 === 1) {
          add(free, account, atRisk);
          emit({ kind: "BondReturned", account, leaseId: task, amount: atRisk });
        } else {
          add(earnings, owner, atRisk);
          emit({ kind: "BondAwarded", owner, leaseId: task, amount: atRisk });
        }
        break;
      }
      default: {
        const slashed = seconds % 2 === 0 ? node : spare.to;
        const taken = cut(amount, of(stake, slashed));
        const reward = taken / 5n;
        add(stake, slashed, -taken);
        add(free, account, reward);
        emit({ kind: "StakeForfeited", node: slashed, reporter: account, burned: taken - reward, reward });
      }
    }
  }
  const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);
  return {
    movements,
    balancesOf: (account) => ({
      free: of(free, account),
      earnings: of(earnings, account),
      reserved: sum(
        [...reserved.values()].filter(({ consumer }) => consumer === account).map(({ amount }) => amount),
      ),
      stake: sum(nodesOf(account).map((node) => of(stake, node))),
    }),
    stakeOf: (node) => of(stake, node),
  };
}

/** No more than there is. */
function cut(amount: bigint, most: bigint): bigint {
  return amount < most ? amount : most;
}

export function nodesOf(account: Address): Address[] {
  const own = nodes.filter(({ owner }) => owner === account).map(({ node }) => node);
  return own.includes(spare.from) ? [...own, spare.to] : own;
}
