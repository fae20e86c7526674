import { type Deployment, taskRegistryAbi } from "@dekuper/protocol";
import type { Address, PublicClient } from "viem";

/** The first steps of the search: as many nonces as a second has room for. */
const FIRST_STEP = 2n ** 20n;

/**
 * The lowest nonce from `next` on under which this node's quotes are good: `next`, unless its operator has cancelled that and
 * more (rule 8). Undefined: not even `most` is. Nonces from `next` on were never given out, so those that are void are below
 * all that are not; some fifty reads find the bound of a day ahead, one tells that there is none.
 */
export async function readQuoteFloor(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
  next: bigint,
  most: bigint,
): Promise<bigint | undefined> {
  const isVoid = (nonce: bigint) => isQuoteVoid(client, deployment, node, nonce);
  if (!(await isVoid(next))) return next;
  if (next >= most || (await isVoid(most))) return undefined;
  let [low, high] = [next, next];
  for (let step = FIRST_STEP; low === high || (await isVoid(high)); step *= 2n) {
    low = high;
    high = high + step < most ? high + step : most;
  }
  while (high - low > 1n) {
    const middle = (low + high) / 2n;
    if (await isVoid(middle)) low = middle;
    else high = middle;
  }
  return high;
}

/** Whether this node's quote with this nonce is cancelled, or used. */
export function isQuoteVoid(
  client: PublicClient,
  deployment: Deployment,
  node: Address,
  nonce: bigint,
): Promise<boolean> {
  return client.readContract({
    address: deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "isQuoteVoid",
    args: [node, nonce],
  });
}
