import { clusterStatus } from "@dekuper/kubernetes";
import { isAlive } from "@dekuper/kubernetes/processes";
import type { Address } from "viem";
import { type CommitteeStatus, readCommittee } from "./seats.ts";
import type { NetworkState } from "./state.ts";

/** What runs of a local network. */
export interface NetworkStatus {
  readonly running: boolean;
  readonly stateDir: string;
  readonly rpcUrl?: string | undefined;
  readonly dappUrl?: string | undefined;
  readonly processes: readonly { name: string; pid: number; alive: boolean; log: string }[];
  readonly providers: readonly {
    name: string;
    node: string;
    kubeconfig: string;
    cluster: string;
    oracle: unknown;
    /** Undefined: the chain does not answer. */
    seat: "has a seat" | "bids" | "none" | undefined;
  }[];
  /** Undefined: there is no chain, or it does not answer. */
  readonly committee: CommitteeStatus | undefined;
}

/** Looks at every part; a part that does not answer is shown so. */
export async function networkStatus(state: NetworkState): Promise<NetworkStatus> {
  const record = state.load();
  const processes = (record?.processes ?? []).map(({ name, identity, logFile }) => ({
    name,
    pid: identity.pid,
    alive: isAlive(identity),
    log: logFile,
  }));
  const committee = record?.network && (await readCommittee(record.network).catch(() => undefined));
  const providers = await Promise.all(
    (record?.providers ?? []).map(async (provider) => ({
      name: provider.name,
      node: provider.operator.address,
      kubeconfig: provider.kubeconfig,
      cluster: provider.clusterDir === undefined ? "external" : await phaseOf(provider.clusterDir),
      oracle: await fetchJson(`${provider.statusUrl}/status`),
      seat: committee && seatOf(provider.operator.address, committee),
    })),
  );
  return {
    running: processes.length > 0 && processes.every(({ alive }) => alive),
    stateDir: state.dir,
    rpcUrl: record?.network?.rpcUrls[0],
    dappUrl: record?.dappUrl,
    processes,
    providers,
    committee,
  };
}

function seatOf(node: Address, { seats, bidders }: CommitteeStatus): "has a seat" | "bids" | "none" {
  if (seats.includes(node)) return "has a seat";
  return bidders.includes(node) ? "bids" : "none";
}

async function phaseOf(clusterDir: string): Promise<string> {
  const status = await clusterStatus(clusterDir);
  return status.phase;
}

/** Undefined: it does not answer. */
export async function fetchJson(url: string): Promise<Record<string, unknown> | undefined> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return (await answer.json()) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
