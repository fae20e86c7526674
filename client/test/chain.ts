import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { createMarket, type Market, walletClientOf } from "@dekuper/client";
import { demoDollarAbi, deploymentSchema, type Network } from "@dekuper/protocol";
import { createTestClient, type Hex, http, parseEther, type TestClient } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const require = createRequire(import.meta.url);
/** Anvil's first account: known to everybody, good for tests only. */
export const DEPLOYER: Hex = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

/** A chain of a test's own with the market deployed through the modules that production uses. */
export interface TestChain {
  readonly network: Network;
  readonly rpcUrl: string;
  readonly control: TestClient;
  /** A market with a fresh account that holds coin and this many demo dollars. */
  account(dollars?: number): Promise<{ market: Market; key: Hex; address: Hex }>;
  stop(): Promise<void>;
}

export async function startTestChain(): Promise<TestChain> {
  const port = await freePort();
  const rpcUrl = `http://127.0.0.1:${port}`;
  const anvil = join(dirname(require.resolve("@foundry-rs/anvil-linux-amd64/package.json")), "bin", "anvil");
  const args = [
    "--host",
    "127.0.0.1",
    "--port",
    `${port}`,
    "--accounts",
    "1",
    "--balance",
    "1000000",
    "--quiet",
  ];
  const child = spawn(anvil, args, { stdio: "ignore" });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
  };
  try {
    await answers(rpcUrl);
    const deployment = deploymentSchema.parse(JSON.parse(await deploy(rpcUrl)));
    const image = `localhost/dekuper/busybox@sha256:${"ab".repeat(32)}`;
    const network: Network = {
      name: "test",
      local: true,
      rpcUrls: [rpcUrl],
      deployment,
      images: { busybox: image },
    };
    const control = createTestClient({ mode: "anvil", transport: http(rpcUrl) });
    return { network, rpcUrl, control, stop, account: (dollars = 1_000) => fund(network, dollars) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function fund(network: Network, dollars: number) {
  const deployer = walletClientOf(network, privateKeyToAccount(DEPLOYER));
  const key = generatePrivateKey();
  const walletClient = walletClientOf(network, privateKeyToAccount(key));
  const address = walletClient.account.address;
  const market = createMarket({ network, walletClient });
  const mined = (hash: Hex) => market.publicClient.waitForTransactionReceipt({ hash });
  const { chain } = deployer;
  await mined(await deployer.sendTransaction({ chain, to: address, value: parseEther("10") }));
  if (dollars > 0) {
    await mined(
      await deployer.writeContract({
        chain,
        address: network.deployment.token,
        abi: demoDollarAbi,
        functionName: "mint",
        args: [address, BigInt(dollars) * 1_000_000n],
      }),
    );
  }
  return { market, key, address };
}

async function deploy(rpcUrl: string): Promise<string> {
  const hardhat = join(dirname(require.resolve("hardhat/package.json")), "dist", "src", "cli.js");
  const child = spawn(
    process.execPath,
    [hardhat, "run", "--no-compile", "scripts/deploy.ts", "--network", "external"],
    {
      cwd: root,
      env: {
        ...process.env,
        DEKUPER_RPC_URL: rpcUrl,
        DEKUPER_DEPLOYER_KEY: DEPLOYER,
        DEKUPER_PARAMETERS: "local",
      },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let output = "";
  let errors = "";
  child.stdout.on("data", (bytes) => {
    output += bytes;
  });
  child.stderr.on("data", (bytes) => {
    errors += bytes;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  if (code !== 0) throw new Error(`scripts/deploy.ts ended with ${code}:\n${errors || output}`);
  return line;
}

async function answers(rpcUrl: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] });
    const answer = await fetch(rpcUrl, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    }).catch(() => undefined);
    if (answer?.ok) return;
    await sleep(100);
  }
  throw new Error("anvil does not answer");
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port");
  return address.port;
}
