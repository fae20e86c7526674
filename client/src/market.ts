import type { Network, Order, SignedAttestation, SignedQuote } from "@dekuper/protocol";
import { DekuperError, taskRegistryAbi } from "@dekuper/protocol";
import type { Address, Hex, LocalAccount, PublicClient } from "viem";
import { type AccountInfo, readAccount, readToken, type TokenInfo } from "./chain/account.ts";
import * as accountCalls from "./chain/account-calls.ts";
import * as bidCalls from "./chain/bid-calls.ts";
import { checkNetwork } from "./chain/check.ts";
import { type ProvenEquivocation, proveEquivocation } from "./chain/equivocation.ts";
import { chainError } from "./chain/errors.ts";
import * as nodeCalls from "./chain/node-calls.ts";
import { type MarketNode, type NodeProfile, readNode, readNodes, type UnitRates } from "./chain/nodes.ts";
import * as quoteCalls from "./chain/quote-calls.ts";
import type { Sender, SentTransaction } from "./chain/send.ts";
import * as taskCalls from "./chain/task-calls.ts";
import { readTask, readTasksOf, readTasksOfNode, type TaskSummary, type Terms } from "./chain/tasks.ts";
import { readTaskDetail, type TaskDetail } from "./chain/timeline.ts";
import { type MarketWallet, publicClientOf } from "./network-client.ts";
import type { Relay } from "./relay/relay-client.ts";

/** The market of one deployment: reads, and with a wallet, calls. Every failure is a `DekuperError`. */
export interface Market {
  readonly network: Network;
  readonly publicClient: PublicClient;
  readonly wallet: MarketWallet | undefined;
  /** What each transaction gives a relay, base units; 0 where the wallet sends by itself. */
  readonly relayFee: bigint;
  /** Whether a relay sends the wallet's calls. */
  readonly isRelayed: boolean;
  /** Is this the chain and the deployment that the network file names? */
  check(): Promise<void>;
  /** Chain time is the head's timestamp. */
  head(): Promise<{ readonly number: bigint; readonly hash: Hex; readonly timestamp: bigint }>;
  token(): Promise<TokenInfo>;
  /** What a new order would keep. */
  terms(): Promise<Terms>;
  nodes(): Promise<MarketNode[]>;
  /** `NOT_FOUND` where nobody registered that address. */
  node(address: Address): Promise<MarketNode>;
  /** Tasks of a consumer, newest first. */
  tasks(consumer: Address): Promise<TaskSummary[]>;
  /** Tasks of which a node has had a lease, newest first, each with that lease. */
  tasksOfNode(node: Address): Promise<TaskSummary[]>;
  /** A task by its own id or its lease's. */
  task(id: Hex): Promise<TaskSummary>;
  taskDetail(id: Hex): Promise<TaskDetail>;
  account(address: Address): Promise<AccountInfo>;

  deposit(amount: bigint, options?: { permit?: boolean }): Promise<SentTransaction>;
  withdraw(amount: bigint, to?: Address): Promise<SentTransaction>;
  withdrawEarnings(amount: bigint, to?: Address): Promise<SentTransaction>;
  createTask(order: Order): Promise<taskCalls.CreatedTask>;
  createAndAward(
    order: Order,
    quotes: readonly SignedQuote[],
    wraps: readonly taskCalls.KeyWrap[],
  ): Promise<taskCalls.CreatedTask>;
  topUp(taskId: Hex, fundedSeconds: number): ReturnType<typeof taskCalls.topUp>;
  grantKeys(taskId: Hex, wraps: readonly taskCalls.KeyWrap[]): Promise<SentTransaction>;
  cancel(taskId: Hex): Promise<SentTransaction>;
  approve(leaseId: Hex): Promise<SentTransaction>;
  settle(leaseId: Hex): Promise<SentTransaction>;
  claimUndelivered(leaseId: Hex): ReturnType<typeof taskCalls.claimUndelivered>;
  lapseClaim(leaseId: Hex): Promise<SentTransaction>;
  tally(taskId: Hex): Promise<SentTransaction>;
  expire(leaseId: Hex): Promise<SentTransaction>;
  failover(leaseId: Hex): Promise<SentTransaction>;

  registerNode(
    operator: Pick<LocalAccount, "publicKey" | "signTypedData">,
    profile: NodeProfile,
  ): Promise<SentTransaction & { readonly node: Address }>;
  updateProfile(node: Address, profile: NodeProfile): Promise<SentTransaction>;
  setFloor(node: Address, floor: UnitRates): Promise<SentTransaction>;
  drain(node: Address): Promise<SentTransaction>;
  resume(node: Address): Promise<SentTransaction>;
  revokeOperator(node: Address): Promise<SentTransaction>;
  releaseUnbonded(node: Address): Promise<SentTransaction>;
  stake(node: Address, amount: bigint): Promise<SentTransaction>;
  unstake(node: Address, amount: bigint): Promise<SentTransaction>;
  migrate(from: Address, to: Address): Promise<SentTransaction>;
  /** The wallet is the operator that signed the quote. */
  cancelQuote(nonce: bigint): Promise<SentTransaction>;
  cancelQuotes(below: bigint): Promise<SentTransaction>;
  /** How the node's bid for a seat among the attesters stands. */
  seatBid(node: Address): Promise<bidCalls.SeatBid>;
  bid(node: Address, amount: bigint): Promise<SentTransaction>;
  withdrawBid(node: Address): Promise<SentTransaction>;
  proveEquivocation(first: SignedAttestation, second: SignedAttestation): Promise<ProvenEquivocation>;
}

export interface MarketOptions {
  readonly network: Network;
  /** Default: the network's RPCs. */
  readonly publicClient?: PublicClient | undefined;
  /** Without one the market can only be read. */
  readonly walletClient?: MarketWallet | undefined;
  /** Sends the wallet's calls in its stead: then the account needs the payment token only. */
  readonly relay?: Relay | undefined;
}

/** Opens a market. Nothing is called until something is asked. */
export function createMarket({ network, publicClient, walletClient, relay }: MarketOptions): Market {
  const client = publicClient ?? publicClientOf(network);
  const sender: Sender = { client, network, wallet: walletClient, relay };
  let token: Promise<TokenInfo> | undefined;
  const readTokenOnce = () => {
    token ??= readToken(client, network).catch((error) => {
      token = undefined; // ask again next time
      throw error;
    });
    return token;
  };
  return {
    network,
    publicClient: client,
    wallet: walletClient,
    get relayFee() {
      return relay?.terms.fee ?? 0n;
    },
    isRelayed: relay !== undefined,
    check: () => checkNetwork(client, network),
    head: async () => {
      const { number, hash, timestamp } = await client.getBlock().catch((cause) => {
        throw chainError(cause, "read the head", network);
      });
      return { number, hash, timestamp };
    },
    token: readTokenOnce,
    terms: () =>
      client
        .readContract({
          address: network.deployment.taskRegistry,
          abi: taskRegistryAbi,
          functionName: "terms",
        })
        .catch((cause) => {
          throw chainError(cause, "read the market's terms", network);
        }),
    nodes: () => readNodes(client, network),
    node: async (address) => {
      const node = await readNode(client, network, address);
      if (node !== undefined) return node;
      throw new DekuperError("NOT_FOUND", `There is no node ${address}.`, {
        details: { node: address },
        hint: "`dekuper node status` without an address lists all nodes.",
      });
    },
    tasks: (consumer) => readTasksOf(client, network, consumer),
    tasksOfNode: (node) => readTasksOfNode(client, network, node),
    task: (id) => readTask(client, network, id),
    taskDetail: (id) => readTaskDetail(client, network, id),
    account: (address) => readAccount(client, network, address),

    deposit: async (amount, options) =>
      accountCalls.deposit(sender, await readTokenOnce(), amount, options ?? {}),
    withdraw: (amount, to) => accountCalls.withdraw(sender, amount, to),
    withdrawEarnings: (amount, to) => accountCalls.withdrawEarnings(sender, amount, to),
    createTask: (order) => taskCalls.createTask(sender, order),
    createAndAward: (order, quotes, wraps) => taskCalls.createAndAward(sender, order, quotes, wraps),
    topUp: (taskId, fundedSeconds) => taskCalls.topUp(sender, taskId, fundedSeconds),
    grantKeys: (taskId, wraps) => taskCalls.grantKeys(sender, taskId, wraps),
    cancel: (taskId) => taskCalls.cancelTask(sender, taskId),
    approve: (leaseId) => taskCalls.approve(sender, leaseId),
    settle: (leaseId) => taskCalls.settle(sender, leaseId),
    claimUndelivered: (leaseId) => taskCalls.claimUndelivered(sender, leaseId),
    lapseClaim: (leaseId) => taskCalls.lapseClaim(sender, leaseId),
    tally: (taskId) => taskCalls.tallyResults(sender, taskId),
    expire: (leaseId) => taskCalls.expire(sender, leaseId),
    failover: (leaseId) => taskCalls.failover(sender, leaseId),

    registerNode: (operator, profile) => nodeCalls.registerNode(sender, operator, profile),
    updateProfile: (node, profile) => nodeCalls.updateProfile(sender, node, profile),
    setFloor: (node, floor) => nodeCalls.setFloor(sender, node, floor),
    drain: (node) => nodeCalls.nodeCall(sender, "drain", node),
    resume: (node) => nodeCalls.nodeCall(sender, "resume", node),
    revokeOperator: (node) => nodeCalls.nodeCall(sender, "revokeOperator", node),
    releaseUnbonded: (node) => nodeCalls.nodeCall(sender, "releaseUnbonded", node),
    stake: (node, amount) => nodeCalls.stake(sender, node, amount),
    unstake: (node, amount) => nodeCalls.unstake(sender, node, amount),
    migrate: (from, to) => nodeCalls.migrate(sender, from, to),
    cancelQuote: (nonce) => quoteCalls.cancelQuote(sender, nonce),
    cancelQuotes: (below) => quoteCalls.cancelQuotes(sender, below),
    seatBid: (node) => bidCalls.readSeatBid(client, network, node),
    bid: (node, amount) => bidCalls.bid(sender, node, amount),
    withdrawBid: (node) => bidCalls.withdrawBid(sender, node),
    proveEquivocation: (first, second) => proveEquivocation(sender, first, second),
  };
}
