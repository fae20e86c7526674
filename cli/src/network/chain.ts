import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import { freePorts, startDetached, untilReady } from "./processes.ts";
import type { LocalAccount, LocalProcess } from "./state.ts";

/** Anvil's first account: a dev key that everybody knows, good for local chains only. */
export const DEV_DEPLOYER: LocalAccount = {
  address: "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
  privateKey: "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
};

/** Starts a local EVM chain that mines each transaction at once until `mineEverySecond` is called. */
export async function startChain(options: {
  logFile: string;
  signal?: AbortSignal | undefined;
  onStarted: (process: LocalProcess) => void;
}): Promise<{ rpcUrl: string }> {
  const [port = 0] = await freePorts(1);
  const rpcUrl = `http://127.0.0.1:${port}`;
  const chain = startDetached({
    name: "chain",
    file: anvilBinary(),
    args: [
      "--host",
      "127.0.0.1",
      "--port",
      String(port),
      "--chain-id",
      "31337",
      "--accounts",
      "1",
      "--balance",
      "1000000",
      "--quiet",
    ],
    logFile: options.logFile,
  });
  options.onStarted(chain);
  await untilReady(chain, async () => (await rpc(rpcUrl, "eth_chainId", [])) === "0x7a69", {
    timeoutMs: 20_000,
    signal: options.signal,
  });
  return { rpcUrl };
}

/** From here on one block a second, as on a fast L2, whether or not there is a transaction. */
export async function mineEverySecond(rpcUrl: string): Promise<void> {
  await rpc(rpcUrl, "evm_setAutomine", [false]);
  await rpc(rpcUrl, "evm_setIntervalMining", [1]);
}

/** One JSON-RPC call, for what is no part of a chain client: dev chains' own methods. */
export async function rpc(url: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(5_000),
  });
  const body = (await answer.json()) as { result?: unknown; error?: { message: string } };
  if (body.error !== undefined) throw new DekuperError("RPC_UNAVAILABLE", `${method}: ${body.error.message}`);
  return body.result;
}

function anvilBinary(): string {
  const manifest = createRequire(import.meta.url).resolve("@foundry-rs/anvil-linux-amd64/package.json");
  const binary = join(dirname(manifest), "bin", "anvil");
  if (!existsSync(binary)) {
    throw new DekuperError("COMPONENT_FAILED", "The local chain's binary is missing.", {
      hint: "The local network needs Linux on amd64; elsewhere give --rpc-url of a dev chain.",
    });
  }
  return binary;
}
