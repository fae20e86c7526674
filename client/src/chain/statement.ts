import { type Network, paymentEscrowAbi } from "@dekuper/protocol";
import { type Address, type Hex, hexToBigInt, hexToNumber, type PublicClient, pad, type RpcLog } from "viem";
import { type ChainBalances, checkStatement, type StatementCheck } from "../statement/check.ts";
import { isSame } from "../statement/ledger.ts";
import type { Movement } from "../statement/movement.ts";
import { makeStatement, type Period, type Statement } from "../statement/statement.ts";
import { chainError } from "./errors.ts";
import { getLogsInRanges, type TopicFilter } from "./logs.ts";
import { movedBy } from "./statement-events.ts";

/** What a statement is read from. */
export interface StatementSource {
  readonly publicClient: PublicClient;
  readonly network: Network;
}

/** A statement and whether its sum is what the chain says of the account. */
export interface CheckedStatement extends Statement {
  readonly check: StatementCheck;
}

/** An RPC may answer from nodes of different heights: how often and how far apart it is asked again before it is believed. */
const CONSISTENT = { tries: 5, pauseMs: 200 } as const;

/** The account's statement out of the escrow's events since its deployment, checked against its balances now. */
export async function readStatement(
  { publicClient: client, network }: StatementSource,
  account: Address,
  period: Period = {},
): Promise<CheckedStatement> {
  for (let left = CONSISTENT.tries; ; left--) {
    const statement = await readOnce(client, network, account, period);
    if (statement.check.agrees || left <= 1) return statement;
    await new Promise((resolve) => setTimeout(resolve, CONSISTENT.pauseMs));
  }
}

async function readOnce(
  client: PublicClient,
  network: Network,
  account: Address,
  period: Period,
): Promise<CheckedStatement> {
  try {
    const block = await client.getBlockNumber();
    const movements = await readMovements(client, network, account, block);
    const statement = makeStatement(account, movements, period);
    const chain = await readBalances(client, network, account, [...statement.stakes.keys()], block);
    return { ...statement, check: checkStatement(statement, chain) };
  } catch (cause) {
    throw chainError(cause, "read the account's statement", network);
  }
}

/** Every movement up to a block that names the account, and what was taken from its nodes' stake. */
async function readMovements(
  client: PublicClient,
  network: Network,
  account: Address,
  toBlock: bigint,
): Promise<Movement[]> {
  const { deployment } = network;
  const read = (filters: readonly TopicFilter[]) =>
    getLogsInRanges(client, network, {
      address: [deployment.paymentEscrow],
      filters,
      fromBlock: BigInt(deployment.deploymentBlock),
      toBlock,
    });
  const logs = new Map<string, RpcLog>();
  const nodes = new Set<Address>();
  // Stake moves on to nodes that no event with the account's name knows.
  for (let unread: Address[] = [account]; unread.length > 0; ) {
    const found = await read(unread.flatMap((address) => naming(pad(address))));
    for (const log of found) logs.set(`${log.blockHash}:${log.logIndex}`, log);
    const staked = found.flatMap((log) => stakedNode(log, account, nodes) ?? []);
    unread = [...new Set(staked)].filter((node) => !nodes.has(node));
    for (const node of unread) nodes.add(node);
  }
  const times = await timesOf(client, [...logs.values()]);
  return [...logs.values()].flatMap((log) => {
    const moved = movedBy(log);
    const { blockNumber, transactionHash, logIndex } = log;
    if (moved === undefined || blockNumber === null || transactionHash === null || logIndex === null)
      return [];
    return {
      ...moved,
      block: hexToBigInt(blockNumber),
      time: times.get(blockNumber) ?? 0n,
      hash: transactionHash,
      logIndex: hexToNumber(logIndex),
    };
  });
}

/** An event names an address in its first, second or third indexed place. */
function naming(topic: Hex): TopicFilter[] {
  return [
    [undefined, topic],
    [undefined, undefined, topic],
    [undefined, undefined, undefined, topic],
  ];
}

/** A node of the account's that has got stake by this log. */
function stakedNode(log: RpcLog, account: Address, nodes: ReadonlySet<Address>): Address | undefined {
  const moved = movedBy(log);
  if (moved?.kind === "StakeMoved" && isSame(moved.owner, account)) return moved.node;
  return moved?.kind === "StakeMigrated" && nodes.has(moved.from) ? moved.to : undefined;
}

/** How many blocks are asked for at once where the logs do not carry their times. */
const BLOCKS_AT_ONCE = 100;

/** Times of the logs' blocks: most RPCs send them along. */
async function timesOf(client: PublicClient, logs: readonly RpcLog[]): Promise<Map<Hex, bigint>> {
  const times = new Map<Hex, bigint>();
  const unknown = new Set<Hex>();
  for (const { blockNumber, blockTimestamp } of logs) {
    if (blockNumber === null) continue;
    if (blockTimestamp) times.set(blockNumber, hexToBigInt(blockTimestamp));
    else unknown.add(blockNumber);
  }
  const numbers = [...unknown];
  for (let at = 0; at < numbers.length; at += BLOCKS_AT_ONCE) {
    const some = numbers.slice(at, at + BLOCKS_AT_ONCE);
    const blocks = await Promise.all(
      some.map((number) => client.getBlock({ blockNumber: hexToBigInt(number) })),
    );
    for (const [index, number] of some.entries()) times.set(number, blocks[index]?.timestamp ?? 0n);
  }
  return times;
}

async function readBalances(
  client: PublicClient,
  network: Network,
  account: Address,
  nodes: readonly Address[],
  blockNumber: bigint,
): Promise<ChainBalances> {
  const at = { address: network.deployment.paymentEscrow, abi: paymentEscrowAbi, blockNumber } as const;
  const [free, reserved, earnings, ...each] = await Promise.all([
    client.readContract({ ...at, functionName: "freeOf", args: [account] }),
    client.readContract({ ...at, functionName: "reservedOf", args: [account] }),
    client.readContract({ ...at, functionName: "earningsOf", args: [account] }),
    ...nodes.map((node) => client.readContract({ ...at, functionName: "stakeOf", args: [node] })),
  ]);
  const stakes = new Map(nodes.map((node, index) => [node, each[index] ?? 0n]));
  const stake = each.reduce((sum, amount) => sum + amount, 0n);
  return { block: blockNumber, balances: { free, reserved, earnings, stake }, stakes };
}
