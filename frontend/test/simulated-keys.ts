import { decodeWrap, taskRegistryAbi } from "@dekuper/protocol";
import type { Address, Hex, PublicClient } from "viem";
import { Secret } from "../../oracle/src/config/secret.ts";
import { TaskKeys } from "../../oracle/src/daemon/task-keys.ts";

interface Grant {
  readonly taskId: Hex;
  readonly node: Address;
  readonly wrap: Hex;
}

/** Who was handed which task's key, read from the chain when a task is begun, and opened as the oracle does it. */
export class SimulatedKeys {
  readonly keys: TaskKeys;
  private grants: readonly Grant[] = [];
  private readonly chain: PublicClient;
  private readonly taskRegistry: Address;

  constructor(operatorKey: Hex, node: Address, chain: PublicClient, taskRegistry: Address) {
    this.chain = chain;
    this.taskRegistry = taskRegistry;
    this.keys = new TaskKeys(new Secret(operatorKey), node, {
      grantsTo: (to, taskId) => this.of(taskId).flatMap(({ node: had, wrap }) => (had === to ? [wrap] : [])),
    });
  }

  async read(): Promise<void> {
    const logs = await this.chain.getContractEvents({
      address: this.taskRegistry,
      abi: taskRegistryAbi,
      eventName: "KeyGranted",
      fromBlock: 0n,
      strict: true,
    });
    this.grants = logs.map(({ args }) => args);
  }

  isHolder(node: Address, salt: Hex): boolean {
    return this.grants.some((grant) => grant.node === node && decodeWrap(grant.wrap).salt === salt);
  }

  hasSalt(taskId: Hex, salt: Hex): boolean {
    return this.of(taskId).some(({ wrap }) => decodeWrap(wrap).salt === salt);
  }

  private of(taskId: Hex): readonly Grant[] {
    return this.grants.filter((grant) => grant.taskId === taskId);
  }
}
