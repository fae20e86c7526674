/** Decides whether the tests notice a fault. */
import {
  CompilationFailed,
  type CompiledContract,
  closureOf,
  compile,
  deepStackSettings,
  optimisedSettings,
  quickSettings,
  type Settings,
  type Sources,
} from "./compiler.ts";
import type { Hints } from "./kills.ts";
import {
  type Contracts,
  type Durations,
  type Failure,
  fullName,
  isSuite,
  MochaTests,
  SolidityTests,
} from "./market-tests.ts";
import { type Mutant, SILENCE } from "./operators.ts";
import { testsOfTheBuild } from "./targets.ts";

export type Verdict =
  /** A test failed: its name. */
  | { readonly kind: "killed"; readonly by: string }
  /** Every test passed. */
  | { readonly kind: "survived" }
  /** Not a contract, or the same code as the original once the optimiser has seen both. */
  | { readonly kind: "invalid" | "same code" };

/** The process cannot judge any more: the tests say something else than that there is a fault. */
export class Unsound extends Error {}

/** Of the runs of an invariant: most faults that it notices show in the first, and what it misses is called a survivor. */
const INVARIANT_RUNS = 2;

const isLeftOut = (title: string) => testsOfTheBuild.some((pattern) => pattern.test(title));
const isTestSource = (file: string) => file.endsWith(".t.sol");

/** A file of tests that deploys the market takes long; the tests of a library alone do not. */
const deploys = (sources: Sources, file: string) =>
  [...closureOf(sources, [file])].some((name) => /^contracts\/[^/]+\.sol$/.test(name));

export class Trial {
  readonly #sources: Sources;
  readonly #settings = new Map<string, Settings>();
  readonly #optimised = new Map<string, string>();
  readonly #solidity = new SolidityTests();
  #mocha: MochaTests | undefined;
  #original: Contracts = new Map();
  #present: Contracts = new Map();

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  /** How long the tests took on the contracts as they are. */
  get durations(): Durations {
    return this.#mocha?.took ?? {};
  }

  /** Compiles everything as it is, and fails unless its tests pass, twice; `proven`: they have, and took so long. */
  async begin(proven?: Durations): Promise<void> {
    const files = [...this.#sources.keys()].filter((file) => file.startsWith("contracts/"));
    const areAllQuick = this.#canBeQuick(files);
    for (const file of files) {
      this.#settings.set(file, areAllQuick || this.#canBeQuick([file]) ? quickSettings : deepStackSettings);
    }
    this.#original = this.#with(this.#sources, files);
    this.#present = this.#original;
    this.#mocha = await MochaTests.load(() => this.#present, isLeftOut, proven ?? {});
    if (proven !== undefined) return;
    const suites = [...this.#original.values()].filter(isSuite);
    const failures = [
      ...(await this.#mocha.failures("all")),
      ...(await this.#solidity.failures(this.#original, suites)),
      // Once more, as each fault is judged: a test that fails in every run but the first would notice them all.
      ...(await this.#mocha.failures("first")),
    ];
    if (failures.length > 0) {
      const list = failures.map(({ test, reason }) => `  ${test}: ${reason}`).join("\n");
      throw new Error(`The tests fail without any fault, so they can judge none:\n${list}`);
    }
  }

  /** `hints`: what noticed faults near this one. `isQuick`: tests that deploy the market and draw what they do are not asked. */
  async judge(mutant: Mutant, hints: Hints, isQuick: boolean): Promise<Verdict> {
    const sources = new Map(this.#sources).set(mutant.file, mutant.text);
    const touched = [...this.#settings.keys()].filter((file) => closureOf(sources, [file]).has(mutant.file));
    const contracts = touched.filter((file) => !isTestSource(file));
    const tests = mutant.operator === SILENCE ? [] : touched.filter(isTestSource);
    const quick = tests.filter((file) => !deploys(sources, file));
    const slow = isQuick ? [] : tests.filter((file) => deploys(sources, file));
    try {
      const noticed = await this.#solidityFailure(this.#original, sources, quick);
      if (noticed !== undefined) return { kind: "killed", by: noticed.test };
      this.#present = this.#with(sources, contracts);
    } catch (error) {
      if (error instanceof CompilationFailed) return { kind: "invalid" };
      throw error;
    }
    const isUnchanged = contracts.every(
      (file) => this.#codeOf(this.#present, file) === this.#codeOf(this.#original, file),
    );
    if (isUnchanged && !quick.length) return { kind: "same code" };
    const failure = (await this.#mocha?.failures("first", hints))?.[0];
    if (failure !== undefined) {
      await this.#requireOfTheFault(failure);
      return { kind: "killed", by: failure.test };
    }
    const slowFailure = await this.#solidityFailure(this.#present, sources, slow);
    if (slowFailure !== undefined) return { kind: "killed", by: slowFailure.test };
    const isSame =
      mutant.operator !== SILENCE && contracts.every((file) => this.#isSameOptimised(sources, file));
    return { kind: isSame ? "same code" : "survived" };
  }

  /** A test may fail for what an earlier fault has left in this process: it has to fail with the fault, and only with it. */
  async #requireOfTheFault({ test, reason }: Failure): Promise<void> {
    const failsAgain = await this.#mocha?.fails(test);
    this.#present = this.#original;
    if (failsAgain !== true || (await this.#mocha?.fails(test)) !== false)
      throw new Unsound(`${test}: ${reason}`);
  }

  /** On these contracts, and the tests of these files compiled anew. */
  async #solidityFailure(present: Contracts, sources: Sources, files: readonly string[]) {
    if (files.length === 0) return undefined;
    const contracts = new Map([...present, ...this.#with(sources, files)]);
    const suites = [...contracts.values()].filter(
      (contract) => files.includes(contract.source) && isSuite(contract),
    );
    return (await this.#solidity.failures(contracts, suites, INVARIANT_RUNS))[0];
  }

  /** The original contracts, with those of these files compiled anew. */
  #with(sources: Sources, files: readonly string[]): Contracts {
    const contracts = new Map(this.#original);
    const bySettings = Map.groupBy(files, (file) => this.#settings.get(file) ?? quickSettings);
    for (const [settings, group] of bySettings) {
      for (const contract of compile(sources, group, settings)) contracts.set(fullName(contract), contract);
    }
    return contracts;
  }

  #canBeQuick(files: readonly string[]): boolean {
    try {
      compile(this.#sources, files, quickSettings);
      return true;
    } catch (error) {
      if (error instanceof CompilationFailed && error.isStackTooDeep) return false;
      throw error;
    }
  }

  #codeOf(contracts: Contracts, file: string): string {
    const ofFile = (contract: CompiledContract) => contract.source === file;
    return JSON.stringify([...contracts.values()].filter(ofFile).map(({ creation }) => creation));
  }

  #isSameOptimised(sources: Sources, file: string): boolean {
    const settings = { ...optimisedSettings, viaIR: this.#settings.get(file) !== quickSettings };
    const codeOf = (of: Sources) =>
      JSON.stringify(compile(of, [file], settings).map(({ creation }) => creation));
    const original = this.#optimised.get(file) ?? codeOf(this.#sources);
    this.#optimised.set(file, original);
    return codeOf(sources) === original;
  }
}
