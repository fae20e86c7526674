import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Contract, InterfaceAbi } from "ethers";
import { ethers, people } from "../../test/contracts/market.ts";

interface Artifact {
  readonly abi: InterfaceAbi;
  readonly bytecode: string;
  readonly linkReferences?: Readonly<
    Record<string, Readonly<Record<string, readonly { start: number; length: number }[]>>>
  >;
}

export interface Poco {
  /** The diamond with every facet's functions. */
  readonly hub: Contract;
  readonly apps: Contract;
  readonly workerpools: Contract;
}

const FACETS = [
  "IexecConfigurationFacet",
  "IexecCategoryManagerFacet",
  "IexecEscrowTokenFacet",
  "IexecERC20Facet",
  "IexecPocoAccessorsFacet",
  "IexecPoco1Facet",
  "IexecPoco2Facet",
];

/** Deploys iExec's PoCo as its npm package has it compiled: the Diamond, the facets of a task's life, and the registries. */
export async function deployPoco(folder: string, token: string): Promise<Poco> {
  const contracts = join(folder, "artifacts/contracts");
  const artifact = async (path: string): Promise<Artifact> =>
    JSON.parse(await readFile(join(contracts, path), "utf8"));
  const { deployer } = people;
  const { bytecode } = await artifact("libs/IexecLibOrders_v5.sol/IexecLibOrders_v5.json");
  const orders = await deploy({ abi: [], bytecode });
  const facets = [await deploy(await ownership(folder))];
  for (const name of FACETS) {
    facets.push(
      await deploy(await artifact(`facets/${name}.sol/${name}.json`), [], await orders.getAddress()),
    );
  }

  const known = new Set<string>();
  const cuts = [];
  for (const facet of facets) {
    const selectors: string[] = [];
    facet.interface.forEachFunction(({ selector }) => {
      if (!known.has(selector)) selectors.push(selector);
      known.add(selector);
    });
    cuts.push({ facetAddress: await facet.getAddress(), action: 0, functionSelectors: selectors });
  }
  const args = { owner: deployer.address, init: ethers.ZeroAddress, initCalldata: "0x" };
  const diamond = await deploy(await artifact("Diamond.sol/Diamond.json"), [cuts, args]);
  const abi = facets.flatMap((facet) => facet.interface.fragments);
  const hub = new ethers.Contract(await diamond.getAddress(), abi, deployer);

  const apps = await registry(await artifact("registries/apps/AppRegistry.sol/AppRegistry.json"));
  const datasets = await registry(
    await artifact("registries/datasets/DatasetRegistry.sol/DatasetRegistry.json"),
  );
  const workerpools = await registry(
    await artifact("registries/workerpools/WorkerpoolRegistry.sol/WorkerpoolRegistry.json"),
  );
  const registries = await Promise.all([apps, datasets, workerpools].map((one) => one.getAddress()));
  await hub.getFunction("configure")(token, "Staked RLC", "SRLC", 9, ...registries, ethers.ZeroAddress);
  await hub.getFunction("createCategory")("XS", "the shortest", 300);
  return { hub, apps, workerpools };
}

/** The package has this facet's code with its deployments alone. */
async function ownership(folder: string): Promise<Artifact> {
  return JSON.parse(await readFile(join(folder, "deployments/arbitrum/OwnershipFacet.json"), "utf8"));
}

async function registry(artifact: Artifact): Promise<Contract> {
  const deployed = await deploy(artifact);
  await deployed.getFunction("initialize")(ethers.ZeroAddress);
  return deployed;
}

async function deploy(artifact: Artifact, args: unknown[] = [], library = ""): Promise<Contract> {
  let { bytecode } = artifact;
  for (const libraries of Object.values(artifact.linkReferences ?? {})) {
    for (const { start, length } of Object.values(libraries).flat()) {
      const from = 2 + 2 * start;
      bytecode = bytecode.slice(0, from) + library.slice(2).toLowerCase() + bytecode.slice(from + 2 * length);
    }
  }
  const factory = new ethers.ContractFactory(artifact.abi, bytecode, people.deployer);
  const deployed = await factory.deploy(...args);
  await deployed.waitForDeployment();
  return new ethers.Contract(await deployed.getAddress(), artifact.abi, people.deployer);
}
