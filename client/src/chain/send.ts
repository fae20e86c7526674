import { DekuperError, type Network } from "@dekuper/protocol";
import type {
  Abi,
  Address,
  ContractFunctionArgs,
  ContractFunctionName,
  Hex,
  PublicClient,
  TransactionReceipt,
} from "viem";
import type { MarketWallet } from "../network-client.ts";
import { chainOf } from "../network-client.ts";
import type { Relay } from "../relay/relay-client.ts";
import { requireRelayable, sendByRelay } from "../relay/send-by-relay.ts";
import { chainError } from "./errors.ts";

/** A mined transaction. */
export interface SentTransaction {
  readonly hash: Hex;
  readonly gasUsed: bigint;
  readonly block: bigint;
}

/** Longest wait for a transaction to be mined, milliseconds. */
const MINE_TIMEOUT_MS = 120_000;

/** Where a market's calls are simulated, sent and waited for. */
export interface Sender {
  readonly client: PublicClient;
  readonly network: Network;
  readonly wallet: MarketWallet | undefined;
  /** Sends the wallet's calls in its stead, for a fee in the payment token (rule 29). */
  readonly relay?: Relay | undefined;
}

export type MineReceipt = SentTransaction & { readonly receipt: TransactionReceipt };

/** Simulates, sends and waits until it is mined. `what` completes "refuses to ..." in errors. */
export async function send<
  const abi extends Abi,
  name extends ContractFunctionName<abi, "nonpayable" | "payable">,
>(
  sender: Sender,
  what: string,
  call: {
    address: Address;
    abi: abi;
    functionName: name;
    args: ContractFunctionArgs<abi, "nonpayable" | "payable", name>;
  },
): Promise<MineReceipt> {
  const wallet = requireWallet(sender, what);
  const { relay } = sender;
  if (relay !== undefined) requireRelayable(sender.network, what, call.address);
  try {
    const { request } = await sender.client.simulateContract({
      ...call,
      account: wallet.account,
    } as never);
    const hash =
      relay === undefined
        ? await sendDirectly(sender, wallet, request)
        : await sendByRelay({ ...sender, wallet, relay }, what, call as never);
    const receipt = await sender.client.waitForTransactionReceipt({ hash, timeout: MINE_TIMEOUT_MS });
    if (receipt.status === "reverted") {
      throw new DekuperError(
        "TRANSACTION_REVERTED",
        `The transaction to ${what} was mined but reverted: the chain changed between simulation and block.`,
        { details: { hash, block: receipt.blockNumber, gasUsed: receipt.gasUsed }, retryable: true },
      );
    }
    return {
      hash: receipt.transactionHash,
      gasUsed: receipt.gasUsed,
      block: receipt.blockNumber,
      receipt,
    };
  } catch (cause) {
    throw chainError(cause, what, sender.network);
  }
}

async function sendDirectly(
  { client, network }: Sender,
  wallet: MarketWallet,
  request: unknown,
): Promise<Hex> {
  const estimated = await client.estimateContractGas(request as never);
  return wallet.writeContract({
    ...(request as object),
    gas: (estimated * 5n) / 4n, // a slot that is written unchanged in the estimated block is not in the next
    account: wallet.account,
    chain: chainOf(network),
  } as never);
}

export function requireWallet(sender: Sender, what: string): MarketWallet {
  if (sender.wallet !== undefined) return sender.wallet;
  throw new DekuperError("NOT_ALLOWED", `A wallet is needed to ${what}.`, {
    hint: "Give a key: --key-file, DEKUPER_KEYSTORE with DEKUPER_PASSWORD_FILE, or --as on the local network.",
  });
}

/** A result without the receipt, as the SDK hands it out. */
export function plain(sent: MineReceipt): SentTransaction {
  return { hash: sent.hash, gasUsed: sent.gasUsed, block: sent.block };
}
