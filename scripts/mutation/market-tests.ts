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
import type { Hints } from "./kills.ts";

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

/** Takes tests out for good: whether one is skipped, Mocha forgets from one run to the next. */
function leaveOut(suite: Mocha.Suite, isLeftOut: (title: string) => boolean): void {
  suite.tests = suite.tests.filter((test) => !isLeftOut(test.fullTitle()));
  for (const child of suite.suites) leaveOut(child, isLeftOut);
}

/** How often a test of this suite was the first to notice. */
function killsOf(kills: Readonly<Record<string, number>>, { title }: Mocha.Suite): number {
  const own = Object.entries(kills).filter(([by]) => by.startsWith(`${title} `));
  return own.reduce((sum, [, count]) => sum + count, 0);
}

/** Mocha reads the switch of the suite that a test stands in. */
function bail(suite: Mocha.Suite, isOn: boolean): void {
  suite.bail(isOn);
  for (const child of suite.suites) bail(child, isOn);
}

/** How long each suite took when all its tests passed, milliseconds. */
export type Durations = Readonly<Record<string, number>>;

export interface Failure {
  readonly test: string;
  readonly reason: string;
}

/** Mocha's name for a call that a test began and did not wait for: it ends the run after, which then says nothing of its fault. */
const LEFT_BEHIND = "Uncaught error outside test suite";

/** The suites of `test/contracts`. */
export class MochaTests {
  readonly #mocha: Mocha;
  readonly #took: Map<string, number>;
  readonly #reset: () => Promise<void>;

  private constructor(mocha: Mocha, took: Durations, reset: () => Promise<void>) {
    this.#mocha = mocha;
    this.#took = new Map(Object.entries(took));
    this.#reset = reset;
  }

  get took(): Durations {
    return Object.fromEntries(this.#took);
  }

  /** All but those that are left out by their full title. `took`: what is known of their durations. */
  static async load(
    contractsNow: () => Contracts,
    isLeftOut: (title: string) => boolean,
    took: Durations,
  ): Promise<MochaTests> {
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
    leaveOut(mocha.suite, isLeftOut);
    const { networkHelpers } = await import("../../test/contracts/market.ts");
    let start = await networkHelpers.takeSnapshot();
    return new MochaTests(mocha, took, async () => {
      await networkHelpers.clearSnapshots();
      await start.restore();
      start = await networkHelpers.takeSnapshot();
    });
  }

  /**
   * The tests that fail: the first one, or all. The suites come first that noticed most faults near this one for the time
   * that they take, and of those that noticed none the shortest.
   */
  async failures(wanted: "first" | "all", hints: Hints = []): Promise<readonly Failure[]> {
    return this.#failuresOf(/(?:)/, wanted, hints);
  }

  /** Whether this test fails on the contracts of now. */
  async fails(test: string): Promise<boolean> {
    const title = new RegExp(`^${test.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}$`);
    return (await this.#failuresOf(title, "first", [])).length > 0;
  }

  async #failuresOf(title: RegExp, wanted: "first" | "all", hints: Hints): Promise<readonly Failure[]> {
    this.#mocha.grep(title);
    const found = await this.#failuresOfOneRun(wanted, hints);
    return found[0]?.test === LEFT_BEHIND ? this.#failuresOfOneRun(wanted, hints) : found;
  }

  async #failuresOfOneRun(wanted: "first" | "all", hints: Hints): Promise<readonly Failure[]> {
    await this.#reset();
    const suites = this.#mocha.suite.suites;
    const timeOf = ({ title }: Mocha.Suite) => this.#took.get(title) ?? 1;
    suites.sort((a, b) => timeOf(a) - timeOf(b));
    for (const kills of [...hints].reverse()) {
      const worth = new Map(suites.map((suite) => [suite, killsOf(kills, suite) / timeOf(suite)]));
      suites.sort((a, b) => (worth.get(b) ?? 0) - (worth.get(a) ?? 0));
    }
    bail(this.#mocha.suite, wanted === "first");
    const failures: Failure[] = [];
    await new Promise<void>((resolve) => {
      const runner = this.#mocha.run(() => resolve());
      const begun = new Map<string, number>();
      runner.on("suite", ({ title }) => begun.set(title, performance.now()));
      runner.on("suite end", ({ title }) => {
        const took = performance.now() - (begun.get(title) ?? 0);
        if (wanted === "all") this.#took.set(title, Math.max(1, took));
      });
      runner.on("fail", (test, error: Error) => {
        failures.push({ test: test.fullTitle(), reason: error.message });
      });
    });
    return failures;
  }
}

/** The fuzz and invariant tests, with the settings of `hardhat.config.ts`, and of an invariant's runs so many. */
export class SolidityTests {
  readonly #context = new EdrContext();
  #isReady = false;

  async failures(
    contracts: Contracts,
    suites: readonly CompiledContract[],
    invariantRuns?: number,
  ): Promise<readonly Failure[]> {
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
            invariant: { ...invariant, ...(invariantRuns === undefined ? {} : { runs: invariantRuns }) },
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
