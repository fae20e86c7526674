import {
  DekuperError,
  demoDollarAbi,
  type ErrorCode,
  type ErrorDetails,
  forwarderAbi,
  isDekuperError,
  leaseStatuses,
  livenessAbi,
  type Network,
  nodeRegistryAbi,
  nodeStatuses,
  paymentEscrowAbi,
  taskRegistryAbi,
} from "@dekuper/protocol";
import {
  type Abi,
  type AbiItem,
  BaseError,
  ChainMismatchError,
  decodeErrorResult,
  type Hex,
  HttpRequestError,
  InsufficientFundsError,
  isHex,
  RpcRequestError,
  TimeoutError,
  toFunctionSelector,
  UserRejectedRequestError,
  WaitForTransactionReceiptTimeoutError,
} from "viem";

const abis: readonly AbiItem[] = [
  ...nodeRegistryAbi,
  ...taskRegistryAbi,
  ...paymentEscrowAbi,
  ...livenessAbi,
  ...forwarderAbi,
  ...demoDollarAbi,
];

/** Every custom error that the market's contracts and its token may revert with, once each. */
export const marketErrorsAbi: Abi = [
  ...new Map(
    abis
      .filter((item) => item.type === "error")
      .map((item) => [toFunctionSelector({ ...item, type: "function" } as never), item]),
  ).values(),
];

const FUNDS = new Set([
  "InsufficientFree",
  "InsufficientEarnings",
  "ERC20InsufficientBalance",
  "ERC20InsufficientAllowance",
]);
const NOT_ALLOWED = new Set([
  "NotConsumer",
  "NotOwner",
  "NotOperator",
  "NotOwnerOrOperator",
  "OperatorIsRevoked",
]);
/** About a node and no task. */
const NODE_STATE = new Set([
  "WrongNodeStatus",
  "AlreadyRegistered",
  "NothingUnbonded",
  "StakeNotFree",
  "CapacityInUse",
  "SameNode",
  "MigratedLately",
  "NodeNotInService",
  "BidTooLow",
  "OwnerHasBid",
  "NoBid",
]);
const WRONG_STATE = new Set([
  ...NODE_STATE,
  "WrongStatus",
  "DeadlinePassed",
  "DeadlineNotPassed",
  "IsPaused",
  "TaskIsOver",
  "FundedAlready",
  "StillCommitting",
  "NodeNotLost",
]);

/** A revert as its custom error says it: the code that fits, a sentence, the error's name and values. */
export function revertError(name: string, values: ErrorDetails, what: string, cause?: unknown): DekuperError {
  const code: ErrorCode = FUNDS.has(name)
    ? "INSUFFICIENT_FUNDS"
    : NOT_ALLOWED.has(name)
      ? "NOT_ALLOWED"
      : WRONG_STATE.has(name)
        ? "WRONG_STATE"
        : "TRANSACTION_REVERTED";
  return new DekuperError(code, `The contract refuses to ${what}: ${sentenceOf(name, values)}.`, {
    details: { error: name, ...values },
    cause,
    ...(NODE_STATE.has(name) ? { hint: "`dekuper node status` shows the node's state and stake." } : {}),
  });
}

/** Decodes revert data; undefined for data that is none of ours. */
export function decodeRevert(data: Hex): { name: string; values: ErrorDetails } | undefined {
  try {
    const decoded = decodeErrorResult({ abi: marketErrorsAbi, data });
    const item = decoded.abiItem as { inputs?: readonly { name?: string }[] };
    const values = Object.fromEntries(
      (decoded.args ?? []).map((value, index) => [item.inputs?.[index]?.name || `${index}`, plain(value)]),
    );
    return { name: decoded.errorName, values };
  } catch {
    return undefined;
  }
}

/** Turns whatever viem throws on a call or a transaction into one of ours. `what` completes "refuses to ...". */
export function chainError(cause: unknown, what: string, network?: Network): DekuperError {
  if (isDekuperError(cause)) return cause;
  if (cause instanceof BaseError) {
    const data = revertData(cause);
    const decoded = data === undefined ? undefined : decodeRevert(data);
    if (decoded !== undefined) return revertError(decoded.name, decoded.values, what, cause);
    if (cause.walk((error) => error instanceof InsufficientFundsError) !== null) {
      return new DekuperError(
        "INSUFFICIENT_GAS",
        `The account has too little of the chain's coin to ${what}.`,
        {
          cause,
        },
      );
    }
    if (cause.walk((error) => error instanceof ChainMismatchError) !== null) {
      return new DekuperError("NETWORK_MISMATCH", `The wallet is on another chain. ${cause.shortMessage}`, {
        cause,
      });
    }
    if (cause.walk((error) => error instanceof UserRejectedRequestError) !== null) {
      return new DekuperError("NOT_ALLOWED", `The wallet declined to ${what}.`, {
        cause,
        hint: "Confirm the request in the wallet to go on.",
      });
    }
    if (cause.walk((error) => error instanceof WaitForTransactionReceiptTimeoutError) !== null) {
      return new DekuperError("TRANSACTION_STUCK", `The transaction to ${what} was not mined in time.`, {
        cause,
      });
    }
    if (isUnavailable(cause)) return rpcFailure(cause, network);
    return new DekuperError("TRANSACTION_REVERTED", `The chain refuses to ${what}: ${trimmed(cause)}`, {
      cause,
    });
  }
  return new DekuperError("INTERNAL", `Could not ${what}: ${String((cause as Error)?.message ?? cause)}`, {
    cause,
  });
}

/** An RPC's URL without path and query, which often carry its key: errors are pasted where others read them. */
export function rpcOrigin(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "the RPC";
}

/** The RPC did not answer, or not as an RPC does. */
export function rpcFailure(cause: unknown, network?: Network): DekuperError {
  if (isDekuperError(cause)) return cause;
  const rpcs = network?.rpcUrls.map(rpcOrigin) ?? [];
  const why = cause instanceof BaseError ? trimmed(cause) : String((cause as Error)?.message ?? cause);
  return new DekuperError("RPC_UNAVAILABLE", `No answer from ${rpcs.join(", ") || "the RPC"}: ${why}`, {
    details: { rpc: rpcs[0] },
    cause,
  });
}

function isUnavailable(error: BaseError): boolean {
  const found = error.walk(
    (inner) =>
      inner instanceof HttpRequestError || inner instanceof TimeoutError || inner instanceof RpcRequestError,
  );
  return found instanceof HttpRequestError || found instanceof TimeoutError;
}

function revertData(error: BaseError): Hex | undefined {
  let found: Hex | undefined;
  error.walk((inner) => {
    const data = (inner as { raw?: unknown; data?: unknown }).raw ?? (inner as { data?: unknown }).data;
    const value = typeof data === "object" && data !== null ? (data as { data?: unknown }).data : data;
    if (isHex(value) && value.length >= 10) found = value;
    return false;
  });
  return found;
}

function trimmed(error: BaseError): string {
  const text = (error.details || error.shortMessage).split("\n")[0] ?? "";
  return text.endsWith(".") ? text : `${text}.`;
}

function plain(value: unknown): string | number | boolean | bigint {
  if (typeof value === "bigint" || typeof value === "number" || typeof value === "boolean") return value;
  if (typeof value === "object" && value !== null) {
    return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? inner.toString() : inner));
  }
  return String(value);
}

function sentenceOf(name: string, values: ErrorDetails): string {
  const say = sentences[name];
  if (say !== undefined) return say(values);
  const shown = Object.entries(values).map(([key, value]) => `${key} ${value}`);
  const words = name.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return shown.length === 0 ? words : `${words} (${shown.join(", ")})`;
}

const time = (value: unknown) => new Date(Number(value) * 1000).toISOString().replace(".000Z", "Z");

/** Sentences for what people meet; the rest reads from the error's own name and values. */
const sentences: Readonly<Record<string, (values: ErrorDetails) => string>> = {
  InsufficientFree: (v) => `${v.account} has ${v.free} base units free in escrow, ${v.wanted} are needed`,
  InsufficientEarnings: (v) => `${v.owner} has earned ${v.earnings} base units, ${v.wanted} were asked for`,
  ERC20InsufficientBalance: (v) =>
    `${v.sender} holds ${v.balance} base units of the token, ${v.needed} are needed`,
  ERC20InsufficientAllowance: (v) => `the escrow may take ${v.allowance} base units, ${v.needed} are needed`,
  WrongStatus: (v) => `the lease is ${leaseStatuses[Number(v.status)] ?? v.status}`,
  WrongNodeStatus: (v) => `the node is ${nodeStatuses[Number(v.status)] ?? v.status}`,
  NotConsumer: (v) => `${v.caller} is not the task's consumer, ${v.consumer} is`,
  NotOwner: (v) => `${v.caller} does not own node ${v.node}`,
  NotOwnerOrOperator: (v) => `${v.caller} is neither owner nor operator of node ${v.node}`,
  DeadlinePassed: (v) => `its deadline was ${time(v.deadline)}, the block is of ${time(v.timestamp)}`,
  DeadlineNotPassed: (v) =>
    `that is possible after ${time(v.enforceableAfter)}, the block is of ${time(v.timestamp)}`,
  NothingUnbonded: (v) =>
    Number(v.unbonding) === 0
      ? "no stake is unbonding"
      : `${v.unbonding} base units are released after ${time(v.releasableAt)}`,
  StakeNotFree: (v) => `${v.wanted} base units were asked for, ${v.free} of the stake are not locked`,
  SameNode: (v) => `${v.node} is the same node`,
  MigratedLately: (v) =>
    `stake was moved to or from node ${v.node} lately, and may move again after ${time(v.allowedAfter)}`,
  NodeNotInService: (v) => `node ${v.node} is ${nodeStatuses[Number(v.status)] ?? v.status}`,
  BidTooLow: (v) => `${v.amount} base units were bid, at least ${v.least} are needed`,
  OwnerHasBid: (v) => `${v.owner} bids for node ${v.node} already, and an owner has one bid`,
  NoBid: (v) => `node ${v.node} has no bid`,
  TaskIsOver: () => "the task is over",
  StillCommitting: (v) => `${v.pending} of its replicas have not committed to a result yet`,
  NodeNotLost: (v) =>
    Number(v.offlineSince) === 0
      ? `node ${v.node} is not offline`
      : `node ${v.node} is offline since ${time(v.offlineSince)}; its lease may be taken after ${time(v.lostAfter)}`,
  FundedOutOfRange: (v) => `${v.funded} s would be reserved for, from 1 to ${v.max} s are allowed`,
  FundedAlready: (v) => `the task is funded for ${v.fundedSeconds} s already`,
  QuoteExpired: (v) => `a quote expired at ${time(v.expiry)}, the block is of ${time(v.timestamp)}`,
  QuoteVoid: (v) => `a quote of node ${v.node} has been used or withdrawn`,
  OpenPathTakesOne: (v) => `the open path takes one lease, ${v.leases} were ordered`,
  CapacityExceeded: (v) => `node ${v.node} has ${v.available} free, ${v.wanted} are needed`,
  AlreadyRegistered: (v) => `node ${v.node} is registered already`,
  IsPaused: (v) => `the market is paused until ${time(v.until)}`,
  OpenUntilOutOfRange: (v) =>
    `the order is open until ${time(v.openUntil)}, from ${time(v.earliest)} to ${time(v.latest)} is allowed`,
  DurationOutOfRange: (v) => `a duration of ${v.duration} s was asked for, at most ${v.max} s is allowed`,
  StartWindowOutOfRange: (v) =>
    `a start window of ${v.startWindow} s was asked for, at most ${v.max} s is allowed`,
};
