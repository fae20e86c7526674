import {
  ageIdentity,
  attestationDigest,
  DekuperError,
  type Deployment,
  type OutputAttestation,
  outputKeyTypes,
  type ReadScope,
  type ReadToken,
  type Receipt,
  readTypes,
  receiptTypedData,
  taskDomain,
} from "@dekuper/protocol";
import { hkdf } from "@noble/hashes/hkdf.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { identityToRecipient } from "age-encryption";
import { type Account, type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import type { MarketWallet } from "./network-client.ts";

/** An age X25519 key pair: outputs are encrypted to `recipient` and opened by `identity`. */
export interface OutputKey {
  /** `AGE-SECRET-KEY-1...`: a secret. */
  readonly identity: string;
  /** `age1...`. */
  readonly recipient: string;
}

/** Signs typed data: viem's wallet client, or a local account with its address. */
export interface TypedDataSigner {
  readonly address: Address;
  signTypedData(typedData: {
    domain: ReturnType<typeof taskDomain>;
    types: Record<string, readonly { name: string; type: string }[]>;
    primaryType: string;
    message: Record<string, unknown>;
  }): Promise<Hex>;
}

/** A wallet client (or account) as a signer of typed data. */
export function signerOf(wallet: MarketWallet | (Account & { type: "local" })): TypedDataSigner {
  if ("account" in wallet) {
    return {
      address: wallet.account.address,
      signTypedData: (typedData) => wallet.signTypedData(typedData as never),
    };
  }
  return {
    address: wallet.address,
    signTypedData: (typedData) => wallet.signTypedData(typedData as never),
  };
}

/** Remembers that a wallet signs alike each time. Only the public recipient is kept. */
export interface RecipientMemory {
  load(consumer: Address): Promise<string | undefined>;
  save(consumer: Address, recipient: string): Promise<void>;
}

/** Of the derivation, not of the wallet: a new version gives every wallet a new key. */
const OUTPUT_KEY_VERSION = 1;
const HKDF_INFO = new TextEncoder().encode("dekuper output key 1");

/**
 * The consumer's output key: HKDF-SHA256 of the wallet's signature over `OutputKey` in the TaskRegistry's domain.
 * The first time the wallet signs twice, later once against what is remembered; a wallet whose signatures differ is
 * refused (`WALLET_NOT_DETERMINISTIC`): its outputs could never be opened again.
 */
export async function deriveOutputKey(
  signer: TypedDataSigner,
  deployment: Deployment,
  memory?: RecipientMemory,
): Promise<OutputKey> {
  const sign = async () => outputKeyOf(await signOutputKey(signer, deployment));
  const key = await sign();
  const known = await memory?.load(signer.address);
  const expected = known ?? (await sign()).recipient;
  if (key.recipient !== expected) {
    throw new DekuperError(
      "WALLET_NOT_DETERMINISTIC",
      `${signer.address} signs the same message differently each time: no lasting key can be derived from it.`,
      { details: { consumer: signer.address } },
    );
  }
  if (known === undefined) await memory?.save(signer.address, key.recipient);
  return key;
}

async function outputKeyOf(signature: Hex): Promise<OutputKey> {
  const scalar = hkdf(sha256, signatureBytes(signature), undefined, HKDF_INFO, 32);
  const identity = ageIdentity(scalar);
  return { identity, recipient: await identityToRecipient(identity) };
}

/** Wallets write the recovery bit as 0/1 or as 27/28: r and s alone are the same in all of them. */
function signatureBytes(signature: Hex): Uint8Array {
  const bytes = hexToBytes(signature);
  return bytes.length === 65 ? bytes.subarray(0, 64) : bytes;
}

/** An output key from the text of an age key file (comments and blank lines are skipped). */
export async function readAgeKey(text: string): Promise<OutputKey> {
  const identity = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .find((line) => line !== "" && !line.startsWith("#"));
  if (identity === undefined || !/^AGE-SECRET-KEY-1[0-9A-Z]{58}$/.test(identity)) {
    throw new DekuperError(
      "KEYSTORE_INVALID",
      "The age key file holds no X25519 identity (AGE-SECRET-KEY-1...).",
      {
        hint: "Make one with `age-keygen -o FILE`.",
      },
    );
  }
  try {
    return { identity, recipient: await identityToRecipient(identity) };
  } catch (cause) {
    throw new DekuperError("KEYSTORE_INVALID", "The age identity in the key file is damaged.", { cause });
  }
}

/** How long a read token may be used, seconds. */
export const READ_TOKEN_LIFE = 3600;

/** Lets the bearer read one scope of one lease attempt until it expires. `nowSeconds` is the wall clock. */
export async function signReadToken(
  signer: TypedDataSigner,
  deployment: Deployment,
  lease: { leaseId: Hex; attempt: number },
  scope: ReadScope,
  nowSeconds: number = Math.floor(Date.now() / 1000),
): Promise<ReadToken> {
  const token = {
    chainId: deployment.chainId,
    registry: deployment.taskRegistry,
    leaseId: lease.leaseId,
    attempt: lease.attempt,
    scope,
    expiry: nowSeconds + READ_TOKEN_LIFE,
    nonce: bytesToHex(crypto.getRandomValues(new Uint8Array(32))),
  };
  const signature = await signer.signTypedData({
    domain: taskDomain(deployment.chainId, deployment.taskRegistry),
    types: readTypes,
    primaryType: "Read",
    message: { ...token, chainId: BigInt(token.chainId), expiry: BigInt(token.expiry) },
  });
  return { ...token, signature };
}

/** Says that the ciphertext of a lease attempt is here, whole and as attested: with it the node answers a claim that it is not. */
export async function signReceipt(
  signer: TypedDataSigner,
  deployment: Deployment,
  lease: { leaseId: Hex; attempt: number },
  attestation: OutputAttestation,
): Promise<Receipt> {
  const receipt = {
    leaseId: lease.leaseId,
    attempt: lease.attempt,
    attestationDigest: attestationDigest(attestation),
  };
  return { ...receipt, signature: await signer.signTypedData(receiptTypedData(deployment, receipt)) };
}

function signOutputKey(signer: TypedDataSigner, deployment: Deployment): Promise<Hex> {
  return signer.signTypedData({
    domain: taskDomain(deployment.chainId, deployment.taskRegistry),
    types: outputKeyTypes,
    primaryType: "OutputKey",
    message: { consumer: signer.address, version: OUTPUT_KEY_VERSION },
  });
}
