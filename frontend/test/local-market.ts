import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createMarket, type NodeProfile, walletClientOf } from "@dekuper/client";
import { demoDollarAbi, deploymentSchema, type Network } from "@dekuper/protocol";
import { type Address, type Hex, parseUnits } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { freePort, runProcess, startProcess, until } from "./processes.ts";

export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const require = createRequire(import.meta.url);

/** Anvil's first account: good for local chains only. */
const DEPLOYER: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const UNIT = 10n ** 6n;

/** What a node posts that says nothing else. */
export const NODE_RATES = { perGpuHour: 2n * UNIT, perVCpuHour: UNIT / 20n };

export interface LocalMarket {
  readonly network: Network & { burnerKey: Hex };
  /** Registers a node with stake. */
  addNode(profile: Partial<NodeProfile>, operatorKey?: Hex): Promise<void>;
  giveGas(address: Address, wei: bigint): Promise<void>;
  stop(): Promise<void>;
}

/** A chain of one's own with the market's contracts, and a burner account that can pay gas. No node answers. */
export async function startLocalMarket(): Promise<LocalMarket> {
  const port = await freePort();
  const rpcUrl = `http://127.0.0.1:${port}`;
  const anvil = startProcess(
    {
      file: anvilBinary(),
      args: ["--port", String(port), "--accounts", "1", "--quiet"],
      cwd: repositoryRoot,
    },
    "anvil",
  );
  await until("the chain", async () => (await rpc(rpcUrl, "eth_chainId", [])) === "0x7a69");
  const printed = await runProcess(
    {
      file: process.execPath,
      args: [hardhatCli(), "run", "scripts/deploy.ts", "--network", "external"],
      cwd: repositoryRoot,
      env: {
        DEKUPER_RPC_URL: rpcUrl,
        DEKUPER_DEPLOYER_KEY: DEPLOYER,
        HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
      },
    },
    "deploy",
  );
  const line = printed.split("\n").find((text) => text.startsWith('{"chainId"'));
  const deployment = deploymentSchema.parse(JSON.parse(line ?? "{}"));
  const burnerKey = generatePrivateKey();
  await rpc(rpcUrl, "anvil_setBalance", [privateKeyToAccount(burnerKey).address, "0x8ac7230489e80000"]); // 10 ETH
  const network = {
    name: "local",
    local: true,
    rpcUrls: [rpcUrl],
    deployment,
    images: { busybox: `localhost/busybox@sha256:${"1".repeat(64)}` },
    burnerKey,
  };
  await fundStakes(network); // while each transaction still makes its own block
  await rpc(rpcUrl, "evm_setIntervalMining", [1]);
  return {
    network,
    addNode: (profile, operatorKey = generatePrivateKey()) => addNode(network, profile, operatorKey),
    giveGas: async (address, wei) => {
      await rpc(rpcUrl, "anvil_setBalance", [address, `0x${wei.toString(16)}`]);
    },
    stop: () => anvil.stop(),
  };
}

/** What the nodes of one test may stake in all. */
async function fundStakes(network: Network): Promise<void> {
  const owner = walletClientOf(network, privateKeyToAccount(DEPLOYER));
  const market = createMarket({ network, walletClient: owner });
  const amount = parseUnits("100000", 6);
  const mint = await owner.writeContract({
    address: network.deployment.token,
    abi: demoDollarAbi,
    functionName: "mint",
    args: [owner.account.address, amount],
    chain: owner.chain ?? null,
  });
  await market.publicClient.waitForTransactionReceipt({ hash: mint });
  await market.deposit(amount);
}

async function addNode(network: Network, profile: Partial<NodeProfile>, operatorKey: Hex): Promise<void> {
  const owner = walletClientOf(network, privateKeyToAccount(DEPLOYER));
  const market = createMarket({ network, walletClient: owner });
  const { node } = await market.registerNode(privateKeyToAccount(operatorKey), {
    encryptionKey: `0x${"7".repeat(64)}`,
    gpus: 0,
    gpuModel: "",
    gpuMemoryMiB: 0,
    vCpus: 16,
    memoryMiB: 65_536n,
    storageMiB: 512_000n,
    isolation: "user-namespace",
    region: "eu-north",
    posted: NODE_RATES,
    multiaddrs: ["/ip4/127.0.0.1/tcp/4999/ws"],
    ...profile,
  });
  const { stake } = await market.node(node);
  await market.stake(node, stake.required + 1_000n * UNIT);
}

async function rpc(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return ((await response.json()) as { result?: unknown }).result;
}

function anvilBinary(): string {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const manifest = require.resolve(`@foundry-rs/anvil-${process.platform}-${architecture}/package.json`);
  return join(dirname(manifest), "bin", "anvil");
}

function hardhatCli(): string {
  return join(dirname(require.resolve("hardhat/package.json")), "dist", "src", "cli.js");
}
