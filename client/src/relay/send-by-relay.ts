import {
  DekuperError,
  type ForwardRequest,
  forwarderAbi,
  forwarderDomain,
  forwardRequestTypes,
  type Network,
  paymentEscrowAbi,
} from "@dekuper/protocol";
import { type Abi, type Address, encodeFunctionData, type Hex, type PublicClient } from "viem";
import { chainError } from "../chain/errors.ts";
import type { MarketWallet } from "../network-client.ts";
import type { Relay } from "./relay-client.ts";

/** Seconds for which a signed call may be carried. */
const REQUEST_LIFE = 600;
/** What giving free balance uses at most, with room to spare. */
const FEE_GAS = 120_000n;

/** A sender whose calls a relay carries. */
interface CarriedSender {
  readonly client: PublicClient;
  readonly network: Network;
  readonly wallet: MarketWallet;
  readonly relay: Relay;
}

interface Call {
  readonly address: Address;
  readonly abi: Abi;
  readonly functionName: string;
  readonly args: readonly unknown[];
}

/**
 * Signs a call and the relay's fee for the Forwarder and has them carried, whole or not at all; returns the transaction's
 * hash. The call was simulated before. Only TaskRegistry and PaymentEscrow take calls from the Forwarder.
 */
export async function sendByRelay(sender: CarriedSender, what: string, call: Call): Promise<Hex> {
  const { client, network, wallet, relay } = sender;
  const { deployment } = network;
  requireRelayable(network, what, call.address);
  const from = wallet.account.address;
  const data = encodeFunctionData(call as never);
  const [estimated, nonce, head] = await Promise.all([
    client.estimateGas({ account: from, to: call.address, data }),
    client.readContract({
      address: deployment.forwarder,
      abi: forwarderAbi,
      functionName: "nonces",
      args: [from],
    }),
    client.getBlock(),
  ]).catch((cause) => {
    throw chainError(cause, what, network);
  });
  const { relayer, fee } = relay.terms;
  const pay = encodeFunctionData({
    abi: paymentEscrowAbi,
    functionName: "transferFree",
    args: [relayer, fee],
  });
  const calls = [
    { to: call.address, data, gas: (estimated * 5n) / 4n + 20_000n },
    ...(fee === 0n ? [] : [{ to: deployment.paymentEscrow, data: pay, gas: FEE_GAS }]),
  ];
  const deadline = Number(head.timestamp) + REQUEST_LIFE;
  const requests: ForwardRequest[] = [];
  for (const [index, each] of calls.entries()) {
    const fields = { from, value: 0n, deadline, ...each };
    const signature = await wallet
      .signTypedData({
        domain: forwarderDomain(deployment.chainId, deployment.forwarder),
        types: forwardRequestTypes,
        primaryType: "ForwardRequest",
        message: { ...fields, nonce: nonce + BigInt(index) },
      })
      .catch((cause) => {
        throw chainError(cause, `sign to ${what}`, network);
      });
    requests.push({ ...fields, signature });
  }
  return relay.carry(requests);
}

/** `RELAY_REFUSED` for calls of other contracts, which know their caller by the transaction only. */
export function requireRelayable({ deployment }: Network, what: string, to: Address): void {
  const { taskRegistry, paymentEscrow } = deployment;
  if (to === taskRegistry || to === paymentEscrow) return;
  throw new DekuperError("RELAY_REFUSED", `No relay can ${what}: only a consumer's calls can be carried.`, {
    details: { to },
    hint: "Leave --relay out: this transaction needs the chain's own coin.",
  });
}
