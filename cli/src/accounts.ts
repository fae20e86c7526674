import { readFile } from "node:fs/promises";
import { DekuperError, type Network } from "@dekuper/protocol";
import { type Hex, isHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { type LocalNetwork, NetworkState } from "./network/state.ts";
import { askPassword } from "./output/prompt.ts";
import type { Terminal } from "./output/terminal.ts";

/** Where a key may come from, in the order in which it is looked for. */
export interface KeyOptions {
  readonly keyFile?: string | undefined;
  readonly keystore?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly as?: string | undefined;
}

/** Accounts of the local network by the names that `--as` takes. */
export function localAccounts(record: LocalNetwork): Record<string, Hex> {
  return {
    consumer: record.accounts.consumer.privateKey,
    deployer: record.accounts.deployer.privateKey,
    ...Object.fromEntries(
      record.providers.flatMap(({ owner, operator }, index) => [
        [`provider${index + 1}`, owner.privateKey],
        [`operator${index + 1}`, operator.privateKey],
      ]),
    ),
  };
}

/**
 * The account that a command acts for: `--key-file`, `--keystore`, `--as`, then the environment (`DEKUPER_PRIVATE_KEY`,
 * `DEKUPER_KEYSTORE`), then, on the local network only, its `fallback`. Undefined: none is given.
 */
export async function findAccount(from: {
  options: KeyOptions;
  env: NodeJS.ProcessEnv;
  network: Network;
  /** Of the local network's record. */
  stateDir: string;
  fallback: "consumer" | "provider1" | "operator1" | "deployer";
  out: Terminal;
  signal: AbortSignal;
}): Promise<PrivateKeyAccount | undefined> {
  const { options, env, network, stateDir, out, signal } = from;
  const passwordFile = options.passwordFile ?? (env.DEKUPER_PASSWORD_FILE || undefined);
  const file = options.keyFile ?? options.keystore;
  if (file !== undefined) return (await readKey(file, passwordFile, out, signal)).account;
  if (options.as !== undefined) return localAccount(options.as, network, stateDir);
  if (env.DEKUPER_PRIVATE_KEY) {
    return keyOf(env.DEKUPER_PRIVATE_KEY, "DEKUPER_PRIVATE_KEY").account;
  }
  if (env.DEKUPER_KEYSTORE) return (await readKey(env.DEKUPER_KEYSTORE, passwordFile, out, signal)).account;
  const hasAccounts = network.local && new NetworkState(stateDir).load() !== undefined;
  return hasAccounts ? localAccount(from.fallback, network, stateDir) : undefined;
}

/** A private key with its account. */
export interface OpenedKey {
  readonly account: PrivateKeyAccount;
  readonly privateKey: Hex;
}

/** A key from a file: raw hex, or an encrypted keystore. */
export async function readKey(
  path: string,
  passwordFile: string | undefined,
  out: Terminal,
  signal: AbortSignal,
): Promise<OpenedKey> {
  const text = (await readText(path, "key file")).trim();
  if (!text.startsWith("{")) return keyOf(text, path);
  const { readKeystore, Secret } = await import("@dekuper/oracle");
  const password =
    passwordFile === undefined
      ? await askPassword(out, `Password of ${path}:`, signal)
      : (await readText(passwordFile, "password file")).replace(/\r?\n$/, "");
  const key = await readKeystore(path, new Secret(password));
  return keyOf(key.reveal(), path);
}

function localAccount(name: string, network: Network, stateDir: string): PrivateKeyAccount {
  if (!network.local) {
    throw new DekuperError("USAGE", `--as works on the local network only; this is ${network.name}.`, {
      hint: "Give --key-file FILE.",
    });
  }
  const record = new NetworkState(stateDir).load();
  const accounts = record === undefined ? {} : localAccounts(record);
  const key = Object.hasOwn(accounts, name) ? accounts[name] : undefined;
  if (key === undefined) {
    const known = Object.keys(accounts).join(", ") || "none";
    throw new DekuperError("USAGE", `The local network has no account ${name}; it has ${known}.`, {
      details: { got: name },
      hint: "Give one of these to --as, or a key with --key-file.",
    });
  }
  return privateKeyToAccount(key);
}

function keyOf(text: string, from: string): OpenedKey {
  const key = text.startsWith("0x") ? text : `0x${text}`;
  if (!isHex(key) || key.length !== 66) {
    // The text itself stays out: it may be nearly a key.
    throw new DekuperError(
      "KEYSTORE_INVALID",
      `${from} holds no private key (64 hex digits) and no keystore.`,
      {
        details: { characters: text.length },
      },
    );
  }
  return { account: privateKeyToAccount(key), privateKey: key };
}

async function readText(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw new DekuperError("KEYSTORE_INVALID", `The ${what} ${path} cannot be read.`, {
      details: { path },
      cause,
    });
  }
}
