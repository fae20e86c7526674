import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import type { ProcessIdentity } from "@dekuper/kubernetes/processes";
import { DekuperError, type Network } from "@dekuper/protocol";
import type { Address, Hex } from "viem";

/** Where the local network keeps everything; `DEKUPER_STATE` moves it, so that several can live side by side. */
export function defaultStateDir(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_STATE_HOME || join(homedir(), ".local", "state");
  return env.DEKUPER_STATE || join(base, "dekuper");
}

/** A dev account of the local network; its key lies in the state folder, readable by this user only. */
export interface LocalAccount {
  readonly address: Address;
  readonly privateKey: Hex;
}

/** A process that `up` started and `down` stops, named for ever by its pid and start time. */
export interface LocalProcess {
  readonly name: string;
  readonly identity: ProcessIdentity;
  readonly logFile: string;
}

/** One provider of the local network. */
export interface LocalProvider {
  readonly name: string;
  readonly owner: LocalAccount;
  readonly operator: LocalAccount;
  /** The embedded cluster's state folder; undefined where the provider runs on an existing cluster. */
  readonly clusterDir?: string;
  readonly kubeconfig: string;
  readonly oracleDir: string;
  /** Of the oracle's /healthz, /readyz, /metrics and /status. */
  readonly statusUrl: string;
}

/** What `up` has made so far; written after each step, so that `down` finds everything after a crash too. */
export interface LocalNetwork {
  readonly startedAt: string;
  readonly network?: Network;
  readonly accounts: { readonly deployer: LocalAccount; readonly consumer: LocalAccount };
  readonly providers: readonly LocalProvider[];
  readonly processes: readonly LocalProcess[];
  readonly clusterDirs: readonly string[];
  readonly dappUrl?: string;
}

/** The record of one local network in its state folder. */
export class NetworkState {
  readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  get recordFile(): string {
    return join(this.dir, "local.json");
  }

  /** The `Network` that clients read (`--network`). */
  get networkFile(): string {
    return join(this.dir, "network.json");
  }

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  load(): LocalNetwork | undefined {
    if (!existsSync(this.recordFile)) return undefined;
    return JSON.parse(readFileSync(this.recordFile, "utf8")) as LocalNetwork;
  }

  /** The running network, or `NETWORK_UNKNOWN`. */
  require(): LocalNetwork & { network: Network } {
    const record = this.load();
    if (record?.network === undefined) {
      throw new DekuperError("NETWORK_UNKNOWN", `No local network runs from ${this.dir}.`);
    }
    return { ...record, network: record.network };
  }

  save(record: LocalNetwork): LocalNetwork {
    writeWhole(this.recordFile, JSON.stringify(record, null, 2));
    if (record.network !== undefined) {
      writeWhole(
        this.networkFile,
        `${JSON.stringify({ ...record.network, burnerKey: record.accounts.consumer.privateKey }, null, 2)}\n`,
      );
    }
    return record;
  }

  update(change: (record: LocalNetwork) => LocalNetwork): LocalNetwork {
    const record = this.load();
    if (record === undefined)
      throw new DekuperError("INTERNAL", `${this.recordFile} vanished while the network starts.`);
    return this.save(change(record));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Appears whole or not at all, readable by this user only. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, text, { mode: 0o600 });
  renameSync(draft, path);
}
