import {
  ageRecipient,
  ageSecret,
  DekuperError,
  type Digest,
  decodeWrap,
  encodeWrap,
  isDekuperError,
  TaskKey,
  wrapPayload,
} from "@dekuper/protocol";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { Encrypter } from "age-encryption";
import { type Address, bytesToHex, concatHex, type Hex, hexToBytes } from "viem";
import type { MarketNode } from "./chain/nodes.ts";
import type { KeyWrap } from "./chain/task-calls.ts";
import { readKeyGrants } from "./key-holders.ts";
import type { OutputKey } from "./keys.ts";
import type { Market } from "./market.ts";

const HKDF_INFO = new TextEncoder().encode("dekuper task key 1");
const SALT_INFO = new TextEncoder().encode("dekuper task salt 1");
const SALT_RANDOM_BYTES = 16;

/** A key for a dry run, which sends nothing: nobody can derive it again. */
export function throwawayTaskKey(): TaskKey {
  const random = () => crypto.getRandomValues(new Uint8Array(32));
  return new TaskKey(random(), bytesToHex(random()));
}

/**
 * The key of one private task (rule 11): HKDF-SHA256 of the consumer's output key and a public salt. With the salt, which its wraps
 * on chain carry, the same wallet or age key file derives it again on any machine. Default salt: a new one of this key, for a new task.
 */
export function deriveTaskKey(key: Pick<OutputKey, "identity">, salt: Hex = ownSalt(key)): TaskKey {
  const seed = hkdf(sha256, ageSecret(key.identity), hexToBytes(salt, { size: 32 }), HKDF_INFO, 32);
  return new TaskKey(seed, salt);
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

/** A private task's key and the name of its sealed spec. */
export interface FoundTaskKey {
  readonly key: TaskKey;
  readonly specBlob: Digest;
}

/** A private task's key, found again by its wraps on chain. Throws what `taskKeyIn` does. */
export async function findTaskKey(
  market: Pick<Market, "network" | "publicClient">,
  key: Pick<OutputKey, "identity">,
  taskId: Hex,
): Promise<FoundTaskKey> {
  return taskKeyIn(await readKeyGrants(market, taskId), key, taskId);
}

/** Pure. Throws `NOT_FOUND` where there is no wrap, `READ_DENIED` where another output key than this one made them all. */
export function taskKeyIn(
  grants: readonly Pick<KeyWrap, "wrap">[],
  key: Pick<OutputKey, "identity">,
  taskId: Hex,
): FoundTaskKey {
  let isAnothers = false;
  for (const grant of grants) {
    try {
      const { salt, specBlob } = decodeWrap(grant.wrap);
      if (isOwnSalt(key, salt)) return { key: deriveTaskKey(key, salt), specBlob };
      isAnothers = true;
    } catch (error) {
      if (!isDekuperError(error, "KEY_WRAP_INVALID")) throw error;
    }
  }
  if (isAnothers)
    throw new DekuperError("READ_DENIED", `The key of task ${taskId} was not made with this output key.`, {
      details: { taskId },
      hint: "Use the wallet, or the --age-key file, that the task was submitted with.",
    });
  throw new DekuperError("NOT_FOUND", `No node was handed a key of task ${taskId}.`, { details: { taskId } });
}

/** 16 random bytes, and as many that only who has the output key can make of them. */
function ownSalt(key: Pick<OutputKey, "identity">): Hex {
  const random = crypto.getRandomValues(new Uint8Array(SALT_RANDOM_BYTES));
  return concatHex([bytesToHex(random), saltCheck(key, random)]);
}

/** Whether this output key made the salt: with another, another key would be derived, and handed to nodes for good. */
function isOwnSalt(key: Pick<OutputKey, "identity">, salt: Hex): boolean {
  const random = hexToBytes(salt).subarray(0, SALT_RANDOM_BYTES);
  return salt.toLowerCase() === concatHex([bytesToHex(random), saltCheck(key, random)]);
}

function saltCheck({ identity }: Pick<OutputKey, "identity">, random: Uint8Array): Hex {
  return bytesToHex(hkdf(sha256, ageSecret(identity), random, SALT_INFO, 32 - SALT_RANDOM_BYTES));
}
