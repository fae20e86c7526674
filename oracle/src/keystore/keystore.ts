import {
  createCipheriv,
  createDecipheriv,
  randomBytes,
  randomUUID,
  type ScryptOptions,
  scrypt,
  timingSafeEqual,
} from "node:crypto";
import { open, readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { DekuperError } from "@dekuper/protocol";
import { scryptAsync as portableScrypt } from "@noble/hashes/scrypt.js";
import { bytesToHex, hexToBytes, keccak256 } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { z } from "zod";
import { Secret } from "../config/secret.ts";

const nativeScrypt = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

/** Web3 Secret Storage, version 3, as Geth writes it: scrypt, aes-128-ctr, keccak-256 over half of the key and the ciphertext. */
const hex = z.string().regex(/^(?:[0-9a-fA-F]{2})+$/);
const keystoreSchema = z.object({
  version: z.literal(3),
  id: z.string().optional(),
  address: z.string().optional(),
  crypto: z.object({
    cipher: z.literal("aes-128-ctr"),
    ciphertext: hex,
    cipherparams: z.object({ iv: hex.length(32) }),
    kdf: z.literal("scrypt"),
    // Bounds keep a hostile file from taking all memory: n x r x 128 bytes, at most 1 GiB.
    kdfparams: z.object({
      n: z
        .int()
        .min(2)
        .max(2 ** 20),
      r: z.int().min(1).max(8),
      p: z.int().min(1).max(8),
      dklen: z.literal(32),
      salt: hex,
    }),
    mac: hex.length(64),
  }),
});
export type Keystore = z.infer<typeof keystoreSchema>;

/** Geth's own cost ("standard"); tests and burner keys of a local network may use less. */
export const STANDARD_SCRYPT = { n: 262_144, r: 8, p: 1 } as const;
export const LIGHT_SCRYPT = { n: 4096, r: 8, p: 6 } as const;

/** Encrypts a private key (32 bytes, 0x hex). */
export async function encryptKeystore(
  privateKey: Secret,
  password: Secret,
  cost: { n: number; r: number; p: number } = STANDARD_SCRYPT,
): Promise<Keystore> {
  const key = hexToBytes(privateKey.reveal() as `0x${string}`, { size: 32 });
  const salt = randomBytes(32);
  const iv = randomBytes(16);
  const derived = await derive(password, salt, cost);
  const cipher = createCipheriv("aes-128-ctr", derived.subarray(0, 16), iv);
  const ciphertext = Buffer.concat([cipher.update(key), cipher.final()]);
  return {
    version: 3,
    id: randomUUID(),
    address: privateKeyToAccount(bytesToHex(key)).address.slice(2).toLowerCase(),
    crypto: {
      cipher: "aes-128-ctr",
      ciphertext: ciphertext.toString("hex"),
      cipherparams: { iv: iv.toString("hex") },
      kdf: "scrypt",
      kdfparams: { ...cost, dklen: 32, salt: salt.toString("hex") },
      mac: mac(derived, ciphertext).toString("hex"),
    },
  };
}

/** Opens a keystore; `KEYSTORE_INVALID` for another format or a wrong password. */
export async function decryptKeystore(content: unknown, password: Secret): Promise<Secret> {
  const parsed = keystoreSchema.safeParse(lowerCrypto(content));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError("KEYSTORE_INVALID", `The keystore's ${issue?.path.join(".")}: ${issue?.message}.`);
  }
  const { crypto } = parsed.data;
  const ciphertext = Buffer.from(crypto.ciphertext, "hex");
  const derived = await derive(password, Buffer.from(crypto.kdfparams.salt, "hex"), crypto.kdfparams);
  if (!timingSafeEqual(mac(derived, ciphertext), Buffer.from(crypto.mac, "hex")))
    throw new DekuperError("KEYSTORE_INVALID", "The password does not open the keystore.");
  const decipher = createDecipheriv(
    "aes-128-ctr",
    derived.subarray(0, 16),
    Buffer.from(crypto.cipherparams.iv, "hex"),
  );
  const key = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  if (key.length !== 32)
    throw new DekuperError("KEYSTORE_INVALID", `The keystore holds ${key.length} bytes, not a 32-byte key.`);
  return new Secret(bytesToHex(key));
}

/** Writes a keystore that only its owner may read; never over an existing file. */
export async function writeKeystore(path: string, keystore: Keystore): Promise<void> {
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(keystore, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Reads and opens a keystore file. */
export async function readKeystore(path: string, password: Secret): Promise<Secret> {
  let content: unknown;
  try {
    content = JSON.parse(await readFile(path, "utf8"));
  } catch (cause) {
    // The cause stays out: a JSON error quotes the file.
    const code = (cause as NodeJS.ErrnoException).code ?? "not JSON";
    throw new DekuperError("KEYSTORE_INVALID", `The keystore ${path} cannot be read: ${code}.`);
  }
  return decryptKeystore(content, password);
}

/** Some writers say `Crypto`, as the first version of the format did. */
function lowerCrypto(content: unknown): unknown {
  if (typeof content !== "object" || content === null || !("Crypto" in content)) return content;
  const { Crypto, ...rest } = content;
  return { crypto: Crypto, ...rest };
}

async function derive(
  password: Secret,
  salt: Buffer,
  cost: { n: number; r: number; p: number },
): Promise<Buffer> {
  const maxmem = 128 * cost.n * cost.r + 128 * cost.r * cost.p + 32 * 1024 * 1024;
  try {
    // OpenSSL takes N only below 2^(16 r), which the format's own test vector (r = 1) is not.
    if (cost.n >= 2 ** Math.min(16 * cost.r, 52)) {
      const options = { N: cost.n, r: cost.r, p: cost.p, dkLen: 32, maxmem };
      return Buffer.from(await portableScrypt(password.reveal(), salt, options));
    }
    return await nativeScrypt(password.reveal(), salt, 32, { N: cost.n, r: cost.r, p: cost.p, maxmem });
  } catch (cause) {
    throw new DekuperError("KEYSTORE_INVALID", "The keystore's scrypt parameters do not work.", { cause });
  }
}

function mac(derived: Buffer, ciphertext: Buffer): Buffer {
  return Buffer.from(hexToBytes(keccak256(Buffer.concat([derived.subarray(16, 32), ciphertext]))));
}
