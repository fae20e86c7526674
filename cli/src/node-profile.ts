import type { NodeProfile } from "@dekuper/client";
import type { ClusterCapacity } from "@dekuper/oracle";
import { DekuperError, type Isolation, isolationClasses, parseAmount, parseMiB } from "@dekuper/protocol";

/** What `node register` takes about the node, as written. */
export interface ProfileFlags {
  readonly multiaddr?: readonly string[];
  readonly gpus?: string;
  readonly gpuModel?: string;
  readonly gpuMemory?: string;
  readonly cpus?: string;
  readonly memory?: string;
  readonly storage?: string;
  readonly isolation?: string;
  readonly region?: string;
  readonly gpuRate?: string;
  readonly cpuRate?: string;
}

/** What a node offers: flags over what the cluster shows; what neither gives is asked for by name. */
export function offerOf(
  flags: ProfileFlags,
  measured: ClusterCapacity | undefined,
  token: { symbol: string; decimals: number },
): Omit<NodeProfile, "encryptionKey"> {
  const gpus = flags.gpus === undefined ? (measured?.gpus ?? 0) : count("--gpus", flags.gpus);
  const amount = (text: string | undefined) => (text === undefined ? 0n : parseAmount(text, token));
  const posted = { perGpuHour: amount(flags.gpuRate), perVCpuHour: amount(flags.cpuRate) };
  if (posted.perGpuHour === 0n && posted.perVCpuHour === 0n) {
    throw missing("--cpu-rate or --gpu-rate", `an amount per hour such as "1.50 ${token.symbol}"`);
  }
  const multiaddrs = flags.multiaddr ?? [];
  if (multiaddrs.length === 0) throw missing("--multiaddr", "such as /dns4/node.example/tcp/4001");
  return {
    gpus,
    gpuModel: gpus === 0 ? "" : (flags.gpuModel ?? measured?.gpuModel ?? ""),
    gpuMemoryMiB: gpus === 0 ? 0 : (mib(flags.gpuMemory) ?? measured?.gpuMemoryMiB ?? 0),
    vCpus: flags.cpus === undefined ? require(measured?.vCpus, "--cpus") : count("--cpus", flags.cpus),
    memoryMiB: BigInt(mib(flags.memory) ?? require(measured?.memoryMiB, "--memory")),
    storageMiB: BigInt(mib(flags.storage) ?? require(measured?.storageMiB, "--storage")),
    isolation: isolationOf(flags.isolation, measured?.isolation),
    region: flags.region ?? "",
    posted,
    multiaddrs,
  };
}

function isolationOf(text: string | undefined, measured: Isolation | undefined): Isolation {
  if (text === undefined) return measured ?? "container";
  const named = isolationClasses.find((name) => name === text);
  if (named === undefined) throw missing("--isolation", `one of ${isolationClasses.join(", ")}`, text);
  if (measured !== undefined && isolationClasses.indexOf(named) > isolationClasses.indexOf(measured)) {
    throw new DekuperError("CLUSTER_REFUSED", `The cluster gives ${measured} isolation, not ${named}.`, {
      details: { claimed: named, measured },
    });
  }
  return named;
}

const mib = (text: string | undefined) => (text === undefined ? undefined : parseMiB(text));

function count(flag: string, text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw missing(flag, "a whole number", text);
  return Number(text);
}

function require(value: number | undefined, flag: string): number {
  if (value !== undefined) return value;
  throw missing(flag, "a value, or --config FILE with a kubeconfig to measure it");
}

function missing(flag: string, expected: string, got = "nothing"): DekuperError {
  return new DekuperError("USAGE", `${flag}: got ${got}, expected ${expected}.`, { details: { flag } });
}
