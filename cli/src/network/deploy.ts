import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { DekuperError, type Deployment, deploymentSchema } from "@dekuper/protocol";
import type { Hex } from "viem";

/** The repository's root: the local network runs from a checkout. */
export const repositoryRoot = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

/** What one deployment transaction cost. */
export interface DeploymentStep {
  readonly step: string;
  readonly hash: Hex;
  readonly gasUsed: string;
}

/** Deploys the market through the same Ignition modules as production, with the local network's parameters. */
export async function deployMarket(options: {
  rpcUrl: string;
  deployerKey: Hex;
  parameters: "local" | "production";
  onLine?: (line: string) => void;
  signal?: AbortSignal | undefined;
}): Promise<{ deployment: Deployment; gas: readonly DeploymentStep[] }> {
  const hardhat = join(
    dirname(createRequire(import.meta.url).resolve("hardhat/package.json")),
    "dist",
    "src",
    "cli.js",
  );
  const child = spawn(
    process.execPath,
    [hardhat, "run", "--no-compile", "scripts/deploy.ts", "--network", "external"],
    {
      cwd: repositoryRoot,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...process.env,
        DEKUPER_RPC_URL: options.rpcUrl,
        DEKUPER_DEPLOYER_KEY: options.deployerKey,
        DEKUPER_PARAMETERS: options.parameters,
        HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  );
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors += text;
    options.onLine?.(text.trimEnd());
  });
  const code = await new Promise<number | null>((resolve, reject) =>
    child.once("error", reject).once("close", resolve),
  );
  const line = output.trimEnd().split("\n").at(-1) ?? "";
  if (code !== 0 || !line.startsWith("{")) {
    throw new DekuperError(
      "COMPONENT_FAILED",
      `The contracts could not be deployed:\n${(errors || output).trim().split("\n").slice(-12).join("\n")}`,
    );
  }
  const result = JSON.parse(line) as { gas?: DeploymentStep[] };
  return { deployment: deploymentSchema.parse(result), gas: result.gas ?? [] };
}
