import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createMarket, type NodeProfile, walletClientOf } from "@dekuper/client";
import {
  type ClusterCapacity,
  createKubernetesDriver,
  encryptKeystore,
  LIGHT_SCRYPT,
  type OracleConfigInput,
  runDoctor,
  Secret,
  writeKeystore,
} from "@dekuper/oracle";
import { type Network, nodeEncryptionKey, parseImage } from "@dekuper/protocol";
import { bytesToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { ClusterSource } from "./clusters.ts";
import { repositoryRoot } from "./deploy.ts";
import type { Progress } from "./output.ts";
import { freePorts, startDetached, untilReady } from "./processes.ts";
import { type LocalAccount, type LocalProvider, type NetworkState, writeWhole } from "./state.ts";

/** What an owner of the local network stakes, base units: 2,000 dollars. */
const STAKE = 2_000_000_000n;
/** Posted rates: 2 dollars an hour for a GPU, 5 cents for a vCPU; the second provider asks a tenth more. */
const RATES = { perGpuHour: 2_000_000n, perVCpuHour: 50_000n };

/** Registers a provider, stakes for it, and starts its oracle. */
export async function startProvider(options: {
  state: NetworkState;
  progress: Progress;
  network: Network;
  cluster: ClusterSource;
  owner: LocalAccount;
  operator: LocalAccount;
  keepFinishedPods: boolean;
  signal?: AbortSignal | undefined;
}): Promise<void> {
  const { state, progress, network, cluster, owner, operator, signal } = options;
  const oracleDir = state.path("providers", cluster.provider, "oracle");
  mkdirSync(oracleDir, { recursive: true, mode: 0o700 });
  const [http = 0, tcp = 0, ws = 0] = await freePorts(3);
  const listen = [`/ip4/127.0.0.1/tcp/${tcp}`, `/ip4/127.0.0.1/tcp/${ws}/ws`];
  const capacity = await capacityOf(cluster, operator);
  const market = createMarket({
    network,
    walletClient: walletClientOf(network, privateKeyToAccount(owner.privateKey)),
  });
  const number = Number(cluster.provider.replace(/\D/g, "")) || 1;
  await market.registerNode(
    privateKeyToAccount(operator.privateKey),
    profileOf(operator, capacity, listen, number),
  );
  await market.deposit(STAKE);
  await market.stake(operator.address, STAKE);
  progress.done(`${cluster.provider}: registered as ${operator.address}`);

  const provider: LocalProvider = {
    name: cluster.provider,
    owner,
    operator,
    kubeconfig: cluster.kubeconfig,
    oracleDir,
    statusUrl: `http://127.0.0.1:${http}`,
    ...(cluster.clusterDir === undefined ? {} : { clusterDir: cluster.clusterDir }),
  };
  await writeOracleConfig(state, provider, cluster, {
    listen,
    httpPort: http,
    keepFinishedPods: options.keepFinishedPods,
    imageHosts: hostsOf([...Object.values(network.images), cluster.helperImage]),
  });
  state.update((record) => ({ ...record, providers: [...record.providers, provider] }));
  await startOracle(state, provider, { signal });
  progress.done(`${cluster.provider}: oracle ready`);
}

/** Starts (or starts again) a provider's oracle as a process of its own and waits until it is ready. */
export async function startOracle(
  state: NetworkState,
  provider: LocalProvider,
  { signal, env = {} }: { signal?: AbortSignal | undefined; env?: Readonly<Record<string, string>> } = {},
): Promise<void> {
  signal?.throwIfAborted();
  const oracle = startDetached({
    name: `${provider.name} oracle`,
    file: process.execPath,
    args: [
      "--disable-warning=ExperimentalWarning",
      join(repositoryRoot, "cli/bin/dekuper.mjs"),
      "oracle",
      "run",
      "--config",
      join(provider.oracleDir, "oracle.json"),
    ],
    logFile: join(provider.oracleDir, "oracle.log"),
    env,
  });
  state.update((record) => ({
    ...record,
    processes: [...record.processes.filter(({ name }) => name !== oracle.name), oracle],
  }));
  await untilReady(oracle, async () => (await fetch(`${provider.statusUrl}/readyz`)).ok, {
    timeoutMs: 60_000,
    signal,
  });
}

async function writeOracleConfig(
  state: NetworkState,
  { oracleDir, kubeconfig, operator }: LocalProvider,
  { helperImage }: ClusterSource,
  settings: Pick<OracleConfigInput, "listen" | "httpPort" | "keepFinishedPods" | "imageHosts">,
): Promise<void> {
  const password = bytesToHex(crypto.getRandomValues(new Uint8Array(16)));
  writeWhole(join(oracleDir, "password"), password);
  const keystore = await encryptKeystore(new Secret(operator.privateKey), new Secret(password), LIGHT_SCRYPT);
  await writeKeystore(join(oracleDir, "keystore.json"), keystore);
  const config: OracleConfigInput = {
    network: state.networkFile,
    stateDir: join(oracleDir, "state"),
    keystore: join(oracleDir, "keystore.json"),
    passwordFile: join(oracleDir, "password"),
    kubeconfig,
    helperImage,
    // Two clusters share this machine's cores: limits stay, requests shrink.
    cpuRequestShare: 0.1,
    allowQuorum: true,
    ...settings,
    pollInterval: 250,
    logLevel: process.env.DEKUPER_LOG_LEVEL === "debug" ? "debug" : "info",
  };
  writeWhole(join(oracleDir, "oracle.json"), `${JSON.stringify(config, null, 2)}\n`);
}

/** The registries that these images come from: the only ones whose images tasks may use here. */
function hostsOf(images: readonly string[]): string[] {
  return [...new Set(images.map((image) => parseImage(image).host))];
}

/**
 * What the cluster shows, asked with the driver that the oracle will use. An existing cluster is probed from inside; an
 * embedded one's isolation is what `npm test` proves.
 */
async function capacityOf(
  { kubeconfig, helperImage, clusterDir }: ClusterSource,
  operator: LocalAccount,
): Promise<ClusterCapacity> {
  const driver = createKubernetesDriver({ kubeconfig, node: operator.address, helperImage });
  const signal = AbortSignal.timeout(120_000);
  await driver.start(signal);
  try {
    const capacity = await driver.capacity(signal);
    if (clusterDir !== undefined) return capacity;
    const { isolation } = await runDoctor({ kubeconfig, helperImage, signal });
    return { ...capacity, isolation };
  } finally {
    await driver.stop();
  }
}

function profileOf(
  operator: LocalAccount,
  capacity: ClusterCapacity,
  multiaddrs: readonly string[],
  number: number,
): NodeProfile {
  const dearer = (rate: bigint) => (rate * BigInt(9 + number)) / 10n;
  return {
    encryptionKey: nodeEncryptionKey(operator.privateKey),
    gpus: capacity.gpus,
    gpuModel: capacity.gpuModel,
    gpuMemoryMiB: capacity.gpuMemoryMiB,
    vCpus: capacity.vCpus,
    memoryMiB: BigInt(capacity.memoryMiB),
    storageMiB: BigInt(capacity.storageMiB),
    isolation: capacity.isolation,
    region: "local",
    posted: { perGpuHour: dearer(RATES.perGpuHour), perVCpuHour: dearer(RATES.perVCpuHour) },
    multiaddrs: [...multiaddrs],
  };
}
