import { type Network, taskRegistryAbi } from "@dekuper/protocol";
import { decodeEventLog, type Hex, type PublicClient, toEventSelector } from "viem";
import { getAbiItem } from "viem/utils";
import { getLogsInRanges } from "./logs.ts";

/** What all top-ups of a task have reserved, base units, by the chain's own events up to `toBlock`. */
export async function readToppedUp(
  client: PublicClient,
  network: Network,
  taskId: Hex,
  toBlock: bigint,
): Promise<bigint> {
  const event = getAbiItem({ abi: taskRegistryAbi, name: "TaskToppedUp" });
  const logs = await getLogsInRanges(client, network, {
    address: [network.deployment.taskRegistry],
    filters: [[toEventSelector(event), taskId]],
    fromBlock: BigInt(network.deployment.deploymentBlock),
    toBlock,
  });
  return logs.reduce((sum, { data, topics }) => {
    const { args } = decodeEventLog({ abi: [event], data, topics: topics as [Hex, ...Hex[]] });
    return sum + args.amount;
  }, 0n);
}
