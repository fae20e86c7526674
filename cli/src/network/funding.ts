import { chainOf, transportOf } from "@dekuper/client";
import { DekuperError, demoDollarAbi, type Network } from "@dekuper/protocol";
import { type Address, createPublicClient, createWalletClient, parseEther } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { createNonceManager, jsonRpc } from "viem/nonce";
import type { LocalAccount } from "./state.ts";

/** What an account of the local network gets: coin for gas, and demo dollars in whole units. */
export interface Grant {
  readonly to: Address;
  readonly ether: string;
  readonly dollars: number;
}

/** Sends gas coin and mints demo dollars from the deployer; all at once, awaited together. */
export async function fundAccounts(
  network: Network,
  deployer: LocalAccount,
  grants: readonly Grant[],
): Promise<void> {
  // Not viem's shared one: it remembers this account from another chain of the same id.
  const nonceManager = createNonceManager({ source: jsonRpc() });
  const account = privateKeyToAccount(deployer.privateKey, { nonceManager });
  const chain = chainOf(network);
  const transport = transportOf(network);
  const wallet = createWalletClient({ account, chain, transport });
  const client = createPublicClient({ chain, transport, pollingInterval: 200 });
  const hashes = await Promise.all(
    grants.flatMap(({ to, ether, dollars }) => [
      wallet.sendTransaction({ to, value: parseEther(ether) }),
      ...(dollars === 0
        ? []
        : [
            wallet.writeContract({
              address: network.deployment.token,
              abi: demoDollarAbi,
              functionName: "mint",
              args: [to, BigInt(dollars) * 1_000_000n],
            }),
          ]),
    ]),
  );
  const receipts = await Promise.all(hashes.map((hash) => client.waitForTransactionReceipt({ hash })));
  const reverted = receipts.find((receipt) => receipt.status === "reverted");
  if (reverted !== undefined) {
    throw new DekuperError(
      "TRANSACTION_REVERTED",
      `Funding an account failed in ${reverted.transactionHash}.`,
    );
  }
}
