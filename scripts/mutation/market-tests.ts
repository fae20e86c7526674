/** The contracts' tests, run again and again in one process on whatever code the contracts have at the time. */
import { globSync } from "node:fs";
import { join } from "node:path";
import {
  EdrContext,
  L1_CHAIN_TYPE,
  l1GenesisState,
  l1HardforkFromString,
  l1SolidityTestRunnerFactory,
  OSAKA,
} from "@nomicfoundation/edr";
import hre from "hardhat";
import Mocha from "mocha";
import { type CompiledContract, root, solcVersion } from "./compiler.ts";

export type Contracts = ReadonlyMap<string, CompiledContract>;
export const fullName = ({ source, name }: CompiledContract) => `${source}:${name}`;

/** An artifact as Hardhat reads it from its folder. */
function artifactOf(contract: CompiledContract) {
  const { source, name, abi, creation, runtime } = contract;
  return {
    _format: "hh3-artifact-1",
    contractName: name,
    sourceName: source,
    inputSourceName: source,
    abi,
    bytecode: `0x${creation.object}`,
    deployedBytecode: `0x${runtime.object}`,
    linkReferences: creation.linkReferences,
    deployedLinkReferences: runtime.linkReferences,
  };
}

/** Serves the contracts from memory as Hardhat's artifacts. Only a package's own contracts come from `artifacts/`. */
function serveArtifacts(contractsNow: () => Contracts): void {
  const named = (name: string) =>
    [...contractsNow().values()].filter((contract) => fullName(contract) === name || contract.name === name);
  const { artifacts } = hre;
  const readFromDisk = artifacts.readArtifact.bind(artifacts);
  const existsOnDisk = artifacts.artifactExists.bind(artifacts);
  Object.assign(artifacts, {
    readArtifact: async (name: string) => {
      const [found, second] = named(name);
      if (second !== undefined) throw new Error(`more than one contract is named ${name}`);
      return found === undefined ? readFromDisk(name) : artifactOf(found);
    },
    artifactExists: async (name: string) => named(name).length > 0 || existsOnDisk(name),
    getAllFullyQualifiedNames: async () => new Set(contractsNow().keys()),
    getAllBuildInfoIds: async () => new Set<string>(),
    getBuildInfoId: async () => undefined,
  });
}

/** Mocha reads the switch of the suite that a test stands in. */
function bail(suite: Mocha.Suite, isOn: boolean): void {
  suite.bail(isOn);
  for (const child of suite.suites) bail(child, isOn);
}

interface Failure {
  readonly test: string;
  readonly reason: string;
}

/** The suites of `test/contracts`. */
export class MochaTests {
  readonly #mocha: Mocha;
  readonly #kills = new Map<string, number>();
  readonly #reset: () => Promise<void>;

  private constructor(mocha: Mocha, reset: () => Promise<void>) {
    this.#mocha = mocha;
    this.#reset = reset;
  }

  static async load(contractsNow: () => Contracts): Promise<MochaTests> {
    for (const network of Object.values(hre.config.networks)) {
      // Code of the quick compilation is long.
      if (network.type === "edr-simulated") network.allowUnlimitedContractSize = true;
    }
    serveArtifacts(contractsNow);
    const mocha = new Mocha({ timeout: 300_000, reporter: Mocha.reporters.Base });
    mocha.cleanReferencesAfterRun(false);
    for (const file of globSync("test/contracts/*.test.ts", { cwd: root }).sort())
      mocha.addFile(join(root, file));
    await mocha.loadFilesAsync();
    const { networkHelpers } = await import("../../test/contracts/market.ts");
    let start = await networkHelpers.takeSnapshot();
    return new MochaTests(mocha, async () => {
      await networkHelpers.clearSnapshots();
      await start.restore();
      start = await networkHelpers.takeSnapshot();
    });
  }

  /**
   * The tests that fail: the first one, or all. The suites come first that noticed most faults there: `places` are the
   * fault's function and file, the nearest first.
   */
  async failures(
    wanted: "first" | "all",
    isLeftOut: (title: string) => boolean,
    places: readonly string[] = [],
  ): Promise<readonly Failure[]> {
    await this.#reset();
    const suites = this.#mocha.suite.suites;
    const killsAt = (place: string, suite: Mocha.Suite) => this.#kills.get(`${place} ${suite.title}`) ?? 0;
    for (const place of [...places].reverse()) {
      suites.sort((a, b) => killsAt(place, b) - killsAt(place, a));
    }
    this.#mocha.suite.eachTest((test) => {
      if (isLeftOut(test.fullTitle())) test.pending = true;
    });
    bail(this.#mocha.suite, wanted === "first");
    const failures: Failure[] = [];
    await new Promise<void>((resolve) => {
      const runner = this.#mocha.run(() => resolve());
      runner.on("fail", (test, error: Error) => {
        const [suite = ""] = test.titlePath();
        for (const place of places) {
          const kills = `${place} ${suite}`;
          this.#kills.set(kills, (this.#kills.get(kills) ?? 0) + 1);
        }
        failures.push({ test: test.fullTitle(), reason: error.message });
      });
    });
    return failures;
  }
}

/** The fuzz and invariant tests, with the settings of `hardhat.config.ts`. */
export class SolidityTests {
  readonly #context = new EdrContext();
  #isReady = false;

  async failures(contracts: Contracts, suites: readonly CompiledContract[]): Promise<readonly Failure[]> {
    if (!this.#isReady) {
      await this.#context.registerSolidityTestRunnerFactory(L1_CHAIN_TYPE, l1SolidityTestRunnerFactory());
      this.#isReady = true;
    }
    const idOf = ({ name, source }: CompiledContract) => ({ name, source, solcVersion });
    const artifacts = [...contracts.values()].map((contract) => ({
      id: idOf(contract),
      contract: { ...artifactOf(contract), abi: JSON.stringify(contract.abi) },
    }));
    const { fuzz, invariant } = hre.config.test.solidity.profiles.default ?? {};
    const failures: Failure[] = [];
    await new Promise<void>((resolve, reject) => {
      let left = suites.length;
      this.#context
        .runSolidityTests(
          L1_CHAIN_TYPE,
          artifacts,
          suites.map(idOf),
          {
            projectRoot: root,
            hardfork: OSAKA,
            localPredeploys: l1GenesisState(l1HardforkFromString(OSAKA)),
            disableBlockGasLimit: true,
            disableTransactionGasCap: true,
            ...(fuzz ? { fuzz } : {}),
            ...(invariant ? { invariant } : {}),
          },
          {},
          ({ id, testResults }) => {
            for (const { name, status, reason } of testResults) {
              if (status !== "Success")
                failures.push({ test: `${id.name}.${name}`, reason: reason ?? status });
            }
            if (--left === 0) resolve();
          },
        )
        .catch(reject);
    });
    return failures;
  }
}

export const isSuite = ({ source, abi, creation }: CompiledContract) =>
  source.endsWith(".t.sol") &&
  creation.object !== "" &&
  abi.some(({ type, name = "" }) => type === "function" && /^(test|invariant)/.test(name));
