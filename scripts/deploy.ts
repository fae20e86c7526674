/**
 * Deploys the market through the Ignition modules, compiling first if a source has changed:
 * `npx hardhat run --no-compile scripts/deploy.ts --network external`
 *
 * Environment: DEKUPER_RPC_URL, DEKUPER_DEPLOYER_KEY; DEKUPER_PARAMETERS (`local`, `production` or a path; default
 * `local`); DEKUPER_TOKEN (the payment token; without it a demo token is deployed, in production it must be named);
 * DEKUPER_GOVERNOR, DEKUPER_GUARDIAN, DEKUPER_FEE_RECIPIENT (default: the deployer, in production they must be named);
 * DEKUPER_DEPLOYMENT (production: the name under which an interrupted deployment can be taken up again).
 *
 * Prints one JSON line on stdout, and nothing else there (without `--no-compile`, `hardhat run` puts an empty line before it).
 */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import hre from "hardhat";
import { predictAddresses } from "../ignition/addresses.ts";
import { DemoMarket, Market } from "../ignition/modules/Market.ts";
import { moduleParameters, readParameters } from "../ignition/parameters.ts";

const env = process.env;
const parametersName = env.DEKUPER_PARAMETERS ?? "local";
const isProduction = parametersName === "production";

function named(variable: string, fallback: string): string {
  const value = env[variable];
  if (value) return value;
  if (isProduction) throw new Error(`${variable} must be set to deploy with production's parameters`);
  return fallback;
}

/** A resumed deployment keeps the nonce that it began with: the predicted addresses follow from it. */
async function firstNonce(folder: string, current: number): Promise<number> {
  const path = join(folder, "first-nonce.json");
  const known = await readFile(path, "utf8").catch(() => undefined);
  if (known !== undefined) return JSON.parse(known);
  await mkdir(folder, { recursive: true });
  await writeFile(path, JSON.stringify(current));
  return current;
}

/** What the compiler has to say is not part of the answer. */
async function build(): Promise<void> {
  const log = console.log;
  console.log = console.error;
  try {
    await hre.tasks.getTask("build").run({ quiet: true, noTests: true });
  } finally {
    console.log = log;
  }
}

await build();
const connection = await hre.network.create();
const { ethers, ignition } = connection;
const [deployer] = await ethers.getSigners();
if (deployer === undefined) throw new Error("DEKUPER_DEPLOYER_KEY gives no account");

const chainId = Number((await ethers.provider.getNetwork()).chainId);
const deploymentId = isProduction ? (env.DEKUPER_DEPLOYMENT ?? `market-${chainId}`) : `local-${randomUUID()}`;
const folder = join(hre.config.paths.ignition, "deployments", deploymentId);
const startBlock = await ethers.provider.getBlockNumber();
const nonce = await firstNonce(`${folder}-nonce`, await deployer.getNonce());

const token = isProduction ? named("DEKUPER_TOKEN", "") : env.DEKUPER_TOKEN;
const parameters = moduleParameters(
  await readParameters(parametersName),
  {
    governor: named("DEKUPER_GOVERNOR", deployer.address),
    guardian: named("DEKUPER_GUARDIAN", deployer.address),
    feeRecipient: named("DEKUPER_FEE_RECIPIENT", deployer.address),
  },
  predictAddresses(deployer.address, nonce, token === undefined),
  token,
);
const options = {
  parameters,
  deploymentId,
  config: isProduction ? {} : { requiredConfirmations: 1, blockPollingInterval: 50 },
};
// One type for both: only the demo market deploys its token.
const deployed: Record<string, { getAddress(): Promise<string> }> =
  token === undefined ? await ignition.deploy(DemoMarket, options) : await ignition.deploy(Market, options);
if (!isProduction) {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-nonce`, { recursive: true, force: true });
}

const addresses: Record<string, string> = {};
for (const [name, contract] of Object.entries(deployed)) addresses[name] = await contract.getAddress();
const at = (name: string): string => {
  const address = addresses[name] ?? (name === "token" ? token : undefined);
  if (address === undefined) throw new Error(`No address of ${name}`);
  return address;
};

/** The deployer's transactions since the start: one contract each. */
async function gasUsed() {
  const steps: { step: string; hash: string; gasUsed: number }[] = [];
  const end = await ethers.provider.getBlockNumber();
  for (let number = startBlock + 1; number <= end; number++) {
    const block = await ethers.provider.getBlock(number, true);
    for (const transaction of block?.prefetchedTransactions ?? []) {
      if (transaction.from !== deployer?.address || transaction.to !== null) continue;
      const receipt = await ethers.provider.getTransactionReceipt(transaction.hash);
      const step = Object.keys(addresses).find((name) => addresses[name] === receipt?.contractAddress);
      if (receipt && step) steps.push({ step, hash: receipt.hash, gasUsed: Number(receipt.gasUsed) });
    }
  }
  return steps;
}

const registry = await ethers.getContractAt("TaskRegistry", at("taskRegistry"));
const deploymentBlock = Number(await registry.deploymentBlock());
const block = await ethers.provider.getBlock(deploymentBlock);
process.stdout.write(
  `${JSON.stringify({
    chainId,
    deploymentBlock,
    deploymentBlockHash: block?.hash,
    accessManager: at("governance"),
    token: at("token"),
    nodeRegistry: at("nodeRegistry"),
    taskRegistry: at("taskRegistry"),
    paymentEscrow: at("paymentEscrow"),
    liveness: at("liveness"),
    gas: await gasUsed(),
  })}\n`,
);
