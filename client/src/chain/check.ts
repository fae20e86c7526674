import { DekuperError, type Network } from "@dekuper/protocol";
import type { PublicClient } from "viem";
import { rpcFailure, rpcOrigin } from "./errors.ts";

/**
 * Is this the market that the network file names? `RPC_UNAVAILABLE`, `NETWORK_MISMATCH`, `CONTRACT_MISSING` or
 * `CHAIN_CHANGED` otherwise, in that order: each later question makes sense only after the earlier one.
 */
export async function checkNetwork(client: PublicClient, network: Network): Promise<void> {
  const { deployment } = network;
  const chainId = await client.getChainId().catch((cause) => {
    throw rpcFailure(cause, network);
  });
  if (chainId !== deployment.chainId) {
    throw new DekuperError(
      "NETWORK_MISMATCH",
      `The RPC serves chain ${chainId}; network ${network.name} is chain ${deployment.chainId}.`,
      { details: { got: chainId, expected: deployment.chainId, rpc: rpcOrigin(network.rpcUrls[0] ?? "") } },
    );
  }
  const contracts = ["nodeRegistry", "taskRegistry", "paymentEscrow", "liveness", "token"] as const;
  const [block, ...codes] = await Promise.all([
    client
      .request({
        method: "eth_getBlockByNumber",
        params: [`0x${deployment.deploymentBlock.toString(16)}`, false],
      })
      .catch((cause) => {
        throw rpcFailure(cause, network);
      }),
    ...contracts.map((name) => client.getCode({ address: deployment[name] })),
  ]).catch((cause) => {
    throw rpcFailure(cause, network);
  });
  // Another history explains missing contracts better than the contracts themselves do; without the block, say what is missing.
  const missing = contracts.find((_, index) => codes[index] === undefined || codes[index] === "0x");
  if (block !== null && block.hash !== deployment.deploymentBlockHash) {
    throw new DekuperError(
      "CHAIN_CHANGED",
      `Block ${deployment.deploymentBlock} is ${block.hash}; network ${network.name} was deployed in ${deployment.deploymentBlockHash}.`,
      {
        details: {
          block: deployment.deploymentBlock,
          got: block.hash,
          expected: deployment.deploymentBlockHash,
        },
        hint: network.local
          ? "The chain was started anew: run `dekuper down`, then `dekuper up`."
          : "Point the RPC at the chain that the network file was written for.",
      },
    );
  }
  if (missing !== undefined) {
    throw new DekuperError(
      "CONTRACT_MISSING",
      `There is no contract at ${deployment[missing]} (${missing}).`,
      {
        details: { contract: missing, address: deployment[missing], chainId },
      },
    );
  }
}
