import {
  ageRecipient,
  ageSecret,
  DekuperError,
  type Digest,
  decodeWrap,
  encodeWrap,
  isDekuperError,
  TaskKey,
  taskRegistryAbi,
  wrapPayload,
} from "@dekuper/protocol";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Encrypter } from "age-encryption";
import {
  type Address,
  bytesToHex,
  decodeEventLog,
  type Hex,
  hexToBytes,
  type RpcLog,
  toEventSelector,
} from "viem";
import { getAbiItem } from "viem/utils";
import { getLogsInRanges } from "./chain/logs.ts";
import type { MarketNode } from "./chain/nodes.ts";
import type { KeyWrap } from "./chain/task-calls.ts";
import type { OutputKey } from "./keys.ts";
import type { Market } from "./market.ts";

const HKDF_INFO = new TextEncoder().encode("dekuper task key 1");
const KEY_GRANTED = toEventSelector(getAbiItem({ abi: taskRegistryAbi, name: "KeyGranted" }));

/** A key for a dry run, which sends nothing: nobody can derive it again. */
export function throwawayTaskKey(): TaskKey {
  return new TaskKey(crypto.getRandomValues(new Uint8Array(32)), randomSalt());
}

/**
 * The key of one private task (rule 11): HKDF-SHA256 of the consumer's output key and a public salt. With the salt, which its wraps
 * on chain carry, the same wallet or age key file derives it again on any machine. Default salt: 32 random bytes, for a new task.
 */
export function deriveTaskKey({ identity }: Pick<OutputKey, "identity">, salt: Hex = randomSalt()): TaskKey {
  return new TaskKey(hkdf(sha256, ageSecret(identity), hexToBytes(salt, { size: 32 }), HKDF_INFO, 32), salt);
}

/**
 * The task key for one node: an age file for its current encryption key, with the consumer's address inside. Throws
 * `KEY_WRAP_INVALID` where nothing can be encrypted to what the node has registered.
 */
export async function wrapTaskKey(
  key: TaskKey,
  specBlob: Digest,
  consumer: Address,
  node: {
    readonly address: Address;
    readonly encryptionKeyVersion: number;
    readonly profile: Pick<MarketNode["profile"], "encryptionKey">;
  },
): Promise<KeyWrap> {
  const encrypter = new Encrypter();
  let file: Uint8Array;
  try {
    encrypter.addRecipient(ageRecipient(node.profile.encryptionKey));
    file = await encrypter.encrypt(wrapPayload(key.reveal(), consumer));
  } catch (cause) {
    throw new DekuperError("KEY_WRAP_INVALID", `The node ${node.address} has no usable encryption key.`, {
      details: { node: node.address, encryptionKey: node.profile.encryptionKey },
      cause,
    });
  }
  const wrap = encodeWrap({ salt: key.salt, specBlob, file });
  return { node: node.address, keyVersion: node.encryptionKeyVersion, wrap };
}

/** Wraps for nodes, for the keys that they have now. What cannot be wrapped for is left out, and named. */
export async function wrapsFor(
  market: Pick<Market, "node">,
  sealed: { readonly key: TaskKey; readonly specBlob: Digest; readonly consumer: Address },
  nodes: readonly Address[],
): Promise<{ readonly wraps: readonly KeyWrap[]; readonly failures: ReadonlyMap<Address, DekuperError> }> {
  const failures = new Map<Address, DekuperError>();
  const wrapped = await Promise.all(
    nodes.map(async (address) => {
      try {
        return await wrapTaskKey(sealed.key, sealed.specBlob, sealed.consumer, await market.node(address));
      } catch (error) {
        if (!isDekuperError(error, "KEY_WRAP_INVALID")) throw error;
        failures.set(address, error);
        return undefined;
      }
    }),
  );
  return { wraps: wrapped.filter((wrap) => wrap !== undefined), failures };
}

/** A private task's key and the name of its sealed spec, found again by its wraps on chain. Throws `NOT_FOUND` where there are none. */
export async function findTaskKey(
  market: Pick<Market, "network" | "publicClient">,
  key: Pick<OutputKey, "identity">,
  taskId: Hex,
): Promise<{ readonly key: TaskKey; readonly specBlob: Digest }> {
  const { network, publicClient } = market;
  const { taskRegistry, deploymentBlock } = network.deployment;
  const logs = await getLogsInRanges(publicClient, network, {
    address: [taskRegistry],
    filters: [[KEY_GRANTED, taskId]],
    fromBlock: BigInt(deploymentBlock),
    toBlock: await publicClient.getBlockNumber(),
  });
  for (const log of logs) {
    try {
      const { salt, specBlob } = decodeWrap(wrapIn(log));
      return { key: deriveTaskKey(key, salt), specBlob };
    } catch (error) {
      if (!isDekuperError(error, "KEY_WRAP_INVALID")) throw error;
    }
  }
  throw new DekuperError("NOT_FOUND", `No node was handed a key of task ${taskId}.`, { details: { taskId } });
}

function wrapIn({ topics, data }: RpcLog): Hex {
  const event = decodeEventLog({
    abi: taskRegistryAbi,
    eventName: "KeyGranted",
    topics: topics as [Hex, ...Hex[]],
    data,
  });
  return event.args.wrap;
}

function randomSalt(): Hex {
  return bytesToHex(crypto.getRandomValues(new Uint8Array(32)));
}
