import { mkdirSync } from "node:fs";
import { isAlive } from "@dekuper/kubernetes/processes";
import { DekuperError, type Network } from "@dekuper/protocol";
import type { Hex } from "viem";
import { createPublicClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { freshAccount } from "./accounts.ts";
import { DEV_DEPLOYER, mineEverySecond, startChain } from "./chain.ts";
import { type ClusterSource, openClusters } from "./clusters.ts";
import { type DeploymentStep, deployMarket } from "./deploy.ts";
import { stopNetwork } from "./down.ts";
import { fundAccounts } from "./funding.ts";
import type { Progress } from "./output.ts";
import { startProvider } from "./provider.ts";
import { noCommitteeWords, placeSeatBids } from "./seats.ts";
import type { LocalNetwork, NetworkState } from "./state.ts";

export interface UpOptions {
  readonly state: NetworkState;
  readonly progress: Progress;
  /** How many providers with an embedded cluster each. Default: 2. */
  readonly providers?: number;
  /** Images to have on the embedded clusters. Default: busybox. */
  readonly images?: readonly ("busybox" | "torch")[];
  /** An existing dev chain instead of a local one, with the key that deploys and funds. */
  readonly rpcUrl?: string | undefined;
  readonly deployerKey?: Hex | undefined;
  /** Existing clusters instead of embedded ones, one provider each. */
  readonly kubeconfigs?: readonly string[] | undefined;
  /** With `kubeconfigs`: images by digest that those clusters can pull. */
  readonly helperImage?: string | undefined;
  readonly imageNames?: Readonly<Record<string, string>>;
  /** Namespaces with finished pods stay until `down`, for a look. */
  readonly keepFinishedPods?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface UpResult {
  readonly record: LocalNetwork & { network: Network };
  readonly deploymentGas: readonly DeploymentStep[];
}

/**
 * Starts a whole market on this machine: chain, contracts, clusters, oracles. What it has started is in the record before
 * it goes on, so that `down` finds it whatever happens; a failure here takes everything down again.
 */
export async function startNetwork(options: UpOptions): Promise<UpResult> {
  const { state, progress } = options;
  const running = state.load();
  if (running?.processes.some(({ identity }) => isAlive(identity))) {
    throw new DekuperError("STATE_LOCKED", `A local network runs from ${state.dir} already.`, {
      hint: "Use it, or stop it with `dekuper down`.",
    });
  }
  if (running !== undefined) await stopNetwork(state, progress);
  try {
    return await start(options);
  } catch (error) {
    progress.detail("that failed: stopping what was started");
    await stopNetwork(state, progress);
    throw error;
  }
}

async function start(options: UpOptions): Promise<UpResult> {
  const { state, progress, signal, keepFinishedPods = false } = options;
  mkdirSync(state.dir, { recursive: true, mode: 0o700 });
  const deployer = options.deployerKey
    ? { privateKey: options.deployerKey, address: privateKeyToAccount(options.deployerKey).address }
    : DEV_DEPLOYER;
  state.save({
    startedAt: new Date().toISOString(),
    accounts: { deployer, consumer: freshAccount() },
    providers: [],
    processes: [],
    clusterDirs: [],
  });
  const settled = await Promise.allSettled([openClusters(options), openChain(options)]);
  const [clusters, chain] = settled.map((result) => {
    if (result.status === "rejected") throw result.reason;
    return result.value;
  }) as [ClusterSource[], ChainReady];

  const network: Network = {
    name: "local",
    local: true,
    rpcUrls: [chain.rpcUrl],
    deployment: chain.deployment,
    images: { ...clusters[0]?.images, ...options.imageNames },
  };
  const { accounts } = state.update((record) => ({ ...record, network }));
  const owners = clusters.map(() => ({ owner: freshAccount(), operator: freshAccount() }));
  await fundAccounts(network, accounts.deployer, [
    { to: accounts.consumer.address, ether: "10", dollars: 1_000 },
    ...owners.flatMap(({ owner, operator }) => [
      { to: owner.address, ether: "10", dollars: 10_000 },
      { to: operator.address, ether: "10", dollars: 0 },
    ]),
  ]);
  progress.done("accounts funded");
  // All of them, also when one fails: what is still being started could not be stopped.
  const providers = await Promise.allSettled(
    clusters.map((cluster, index) => {
      const keys = owners[index] ?? { owner: freshAccount(), operator: freshAccount() };
      return startProvider({ state, progress, network, cluster, ...keys, keepFinishedPods, signal });
    }),
  );
  for (const provider of providers) if (provider.status === "rejected") throw provider.reason;
  const record = state.require();
  const bids = await placeSeatBids(network, record.providers);
  if (bids > 0)
    progress.done(`${bids} nodes bid for seats of the committee, and get them when its epoch ends`);
  else progress.detail(noCommitteeWords(record.providers.length));
  if (options.rpcUrl === undefined) await mineEverySecond(chain.rpcUrl);
  return { record, deploymentGas: chain.gas };
}

interface ChainReady {
  readonly rpcUrl: string;
  readonly deployment: Network["deployment"];
  readonly gas: readonly DeploymentStep[];
}

async function openChain({ state, progress, rpcUrl, deployerKey, signal }: UpOptions): Promise<ChainReady> {
  const url = rpcUrl ?? (await startLocalChain(state, signal));
  if (rpcUrl !== undefined) await requireChain(rpcUrl);
  progress.done(rpcUrl === undefined ? `chain at ${url}` : `using the chain at ${url}`);
  const { deployment, gas } = await deployMarket({
    rpcUrl: url,
    deployerKey: deployerKey ?? DEV_DEPLOYER.privateKey,
    parameters: "local",
    signal,
  });
  progress.done(`contracts deployed: TaskRegistry ${deployment.taskRegistry}`);
  return { rpcUrl: url, deployment, gas };
}

async function startLocalChain(state: NetworkState, signal: AbortSignal | undefined): Promise<string> {
  const { rpcUrl } = await startChain({
    logFile: state.path("chain.log"),
    signal,
    onStarted: (process) => {
      state.update((record) => ({ ...record, processes: [...record.processes, process] }));
    },
  });
  return rpcUrl;
}

async function requireChain(rpcUrl: string): Promise<void> {
  const client = createPublicClient({ transport: http(rpcUrl, { retryCount: 0, timeout: 5_000 }) });
  await client.getChainId().catch((cause) => {
    throw new DekuperError("RPC_UNAVAILABLE", `No chain answers at ${rpcUrl}.`, {
      cause,
      details: { rpcUrl },
    });
  });
}
