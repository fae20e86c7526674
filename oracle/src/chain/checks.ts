import { DekuperError, type Deployment } from "@dekuper/protocol";
import { BlockNotFoundError, type PublicClient } from "viem";
import type { ChainReader } from "./reader.ts";

/** Chain ids of dev chains: their heads move only when asked to, and 3 blocks count as final. */
export const LOCAL_CHAIN_IDS: ReadonlySet<number> = new Set([31337, 1337]);

/**
 * Checks that every RPC that answers serves the deployment's chain: `NETWORK_MISMATCH`, `CONTRACT_MISSING` and
 * `CHAIN_CHANGED` are final, `RPC_UNAVAILABLE` (none answers) is worth another try.
 */
export async function checkNetwork(reader: ChainReader, deployment: Deployment): Promise<void> {
  const results = await Promise.allSettled(
    reader.rpcs.map(({ url, client }) => checkRpc(url, client, deployment)),
  );
  const failures = results.filter((result) => result.status === "rejected").map(({ reason }) => reason);
  const final = failures.find((error) => error instanceof DekuperError && !error.retryable);
  if (final !== undefined) throw final;
  if (failures.length === results.length)
    throw new DekuperError("RPC_UNAVAILABLE", `None of ${results.length} RPCs answers.`, {
      cause: failures[0],
    });
}

async function checkRpc(url: string, client: PublicClient, deployment: Deployment): Promise<void> {
  const chainId = await client.getChainId();
  if (chainId !== deployment.chainId)
    throw new DekuperError(
      "NETWORK_MISMATCH",
      `The RPC serves chain ${chainId}, the network file names ${deployment.chainId}.`,
      { details: { rpc: origin(url), got: chainId, expected: deployment.chainId } },
    );
  await checkDeploymentBlock(client, deployment);
  for (const [name, address] of [
    ["TaskRegistry", deployment.taskRegistry],
    ["NodeRegistry", deployment.nodeRegistry],
  ] as const) {
    const code = await client.getCode({ address });
    if (code === undefined || code === "0x")
      throw new DekuperError("CONTRACT_MISSING", `There is no ${name} at ${address}.`, {
        details: { rpc: origin(url), address },
      });
  }
}

/**
 * The deployment block's hash names the chain's history: another one there is another chain. None there is one on a dev chain
 * that was started anew; elsewhere the RPC only has not got so far (`RPC_UNAVAILABLE`).
 */
export async function checkDeploymentBlock(client: PublicClient, deployment: Deployment): Promise<void> {
  const { chainId, deploymentBlock, deploymentBlockHash } = deployment;
  const block = await client.getBlock({ blockNumber: BigInt(deploymentBlock) }).catch((error: unknown) => {
    if (error instanceof BlockNotFoundError) return undefined;
    throw error;
  });
  if (block === undefined && !LOCAL_CHAIN_IDS.has(chainId))
    throw new DekuperError("RPC_UNAVAILABLE", `The RPC has no block ${deploymentBlock} yet.`, {
      details: { block: deploymentBlock },
    });
  if (block?.hash !== deploymentBlockHash)
    throw new DekuperError(
      "CHAIN_CHANGED",
      `Block ${deploymentBlock} has ${block === undefined ? "vanished" : "another hash"}: this is not the chain of the deployment.`,
      { details: { block: deploymentBlock, got: block?.hash, expected: deploymentBlockHash } },
    );
}

/** An RPC URL without path and query, which often carry its key. */
export function origin(url: string): string {
  return new URL(url).origin;
}
