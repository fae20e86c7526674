import { type Address, encodeAbiParameters, encodePacked, type Hex, keccak256 } from "viem";
import type { Order } from "./order.ts";
import { orderParameters } from "./order.ts";

/** `keccak256(abi.encode(order))`: covers every field of the order. */
export function orderHash(order: Order): Hex {
  return keccak256(encodeAbiParameters(orderParameters, [order]));
}

/** A task's id (rule 6): never sequential, so a reorg cannot hand one order's pods or attestation to another. */
export function taskId(from: {
  chainId: number;
  registry: Address;
  consumer: Address;
  nonce: bigint;
  orderHash: Hex;
}): Hex {
  return keccak256(
    encodeAbiParameters(
      [
        { type: "uint256" },
        { type: "address" },
        { type: "address" },
        { type: "uint256" },
        { type: "bytes32" },
      ],
      [BigInt(from.chainId), from.registry, from.consumer, from.nonce, from.orderHash],
    ),
  );
}

/** A lease's id: `keccak256(abi.encode(taskId, uint32 index))`. */
export function leaseId(task: Hex, index: number): Hex {
  return keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "uint32" }], [task, index]));
}

/** A node's ticket for a task: `keccak256(abi.encode(seed, node))`. */
export function ticket(seed: Hex, node: Address): Hex {
  return keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "address" }], [seed, node]));
}

/** A node's name off chain: everything is keyed by chain, registry, lease and attempt (rule 6). */
export function attemptKey(lease: Hex, attempt: number): Hex {
  return keccak256(encodePacked(["bytes32", "uint32"], [lease, attempt]));
}
