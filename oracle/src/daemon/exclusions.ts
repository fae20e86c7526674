import { type Deployment, taskRegistryAbi } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { ChainReader } from "../chain/reader.ts";
import { revertOf } from "../chain/revert.ts";

/** Whether a lost lease is out of bounds for this node: its owner has lost it before. Asked once for each attempt. */
export class Exclusions {
  private readonly deployment: Deployment;
  private readonly node: Address;
  private readonly reader: Pick<ChainReader, "read">;
  private readonly known = new Map<Hex, { readonly attempt: number; readonly isExcluded: boolean }>();

  constructor(deployment: Deployment, node: Address, reader: Pick<ChainReader, "read">) {
    this.deployment = deployment;
    this.node = node;
    this.reader = reader;
  }

  /** `attempt` is the one that was lost. The contract itself is asked, by a call that is not sent. */
  async isExcluded(leaseId: Hex, attempt: number): Promise<boolean> {
    const known = this.known.get(leaseId);
    if (known?.attempt === attempt) return known.isExcluded;
    const isExcluded = await this.reader.read((client) => this.ask(client, leaseId));
    this.known.set(leaseId, { attempt, isExcluded });
    return isExcluded;
  }

  prune(isOpen: (leaseId: Hex) => boolean): void {
    for (const leaseId of this.known.keys()) if (!isOpen(leaseId)) this.known.delete(leaseId);
  }

  private async ask(
    client: Parameters<Parameters<ChainReader["read"]>[0]>[0],
    leaseId: Hex,
  ): Promise<boolean> {
    try {
      await client.simulateContract({
        address: this.deployment.taskRegistry,
        abi: taskRegistryAbi,
        functionName: "takeOver",
        args: [leaseId],
        account: this.node,
      });
      return false;
    } catch (error) {
      const revert = revertOf(error);
      if (revert === undefined) throw error;
      return revert.name === "OwnerExcluded";
    }
  }
}
