/** The contracts' sources and npm's solc, called for no more than is asked: a whole build takes minutes, one contract less than a second. */
import { globSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Texts by source name: a path in the repository, or the import path of a package's file. */
export type Sources = ReadonlyMap<string, string>;

type LinkReferences = Record<string, Record<string, { start: number; length: number }[]>>;

interface Bytecode {
  readonly object: string;
  readonly linkReferences: LinkReferences;
}

export interface CompiledContract {
  readonly source: string;
  readonly name: string;
  readonly abi: readonly { readonly type: string; readonly name?: string }[];
  readonly creation: Bytecode;
  readonly runtime: Bytecode;
}

export interface CompilerOutput {
  readonly errors?: readonly { readonly severity: string; readonly formattedMessage: string }[];
  readonly sources?: Record<string, { readonly ast: unknown }>;
  readonly contracts?: Record<
    string,
    Record<string, { abi: CompiledContract["abi"]; evm: { bytecode: Bytecode; deployedBytecode: Bytecode } }>
  >;
}

export type Settings = Readonly<Record<string, unknown>>;

interface Table {
  get(index: number): unknown;
  set(index: number, value: unknown): void;
}

/** solc's glue asks its table of functions at every call from one part to another: with the answers kept, a compilation takes a quarter less. */
function keepTableEntries(): void {
  const { prototype } = (globalThis as unknown as { WebAssembly: { Table: { prototype: Table } } })
    .WebAssembly.Table;
  const { get, set } = prototype;
  let table: Table | undefined;
  let entries: unknown[] = [];
  prototype.get = function (index) {
    if (this !== table) {
      table = this;
      entries = [];
    }
    entries[index] ??= get.call(this, index);
    return entries[index];
  };
  prototype.set = function (index, value) {
    if (this === table) table = undefined;
    set.call(this, index, value);
  };
}
keepTableEntries();

const solc: { compile(input: string): string; version(): string } = createRequire(import.meta.url)("solc");

export const solcVersion = solc.version().replace(/\+.*/, "");

/** `hardhat.config.ts` has the same: the oldest EVM that the contracts need. */
const evmVersion = "cancun";

/** No optimiser, nothing left out. */
export const compilerVersion: Settings = { evmVersion };
const noMetadata = { appendCBOR: false, bytecodeHash: "none" };

/** As quick as solc gets: the rules of money do not depend on the optimiser. */
export const quickSettings: Settings = {
  evmVersion,
  metadata: noMetadata,
  optimizer: {
    enabled: false,
    details: {
      peephole: true,
      jumpdestRemover: true,
      inliner: false,
      deduplicate: true,
      cse: false,
      constantOptimizer: false,
      orderLiterals: false,
      yul: false,
    },
  },
};

/** For contracts in which the quick settings find no room on the stack. */
export const deepStackSettings: Settings = {
  evmVersion,
  metadata: noMetadata,
  viaIR: true,
  optimizer: {
    enabled: true,
    details: { yul: true, yulDetails: { stackAllocation: true, optimizerSteps: "u:u" } },
  },
};

/** With the optimiser: two sources that give the same code here are the same contract. */
export const optimisedSettings: Settings = {
  evmVersion,
  metadata: noMetadata,
  optimizer: { enabled: true, runs: 200 },
};

export const contractOutput = [
  "abi",
  "evm.bytecode.object",
  "evm.bytecode.linkReferences",
  "evm.deployedBytecode.object",
  "evm.deployedBytecode.linkReferences",
];

/** What a source imports, as source names. */
export function importsOf(name: string, text: string): readonly string[] {
  return [...text.matchAll(/^\s*import\b[^;]*?["']([^"']+)["']\s*;/gm)].map(([, path = ""]) =>
    path.startsWith(".") ? posix.join(posix.dirname(name), path) : path,
  );
}

/** The contracts and all that they import. */
export function readSources(): Sources {
  const sources = new Map<string, string>();
  const add = (name: string) => {
    if (sources.has(name)) return;
    const isOurs = name.startsWith("contracts/");
    const text = readFileSync(posix.join(root, isOurs ? "" : "node_modules", name), "utf8");
    sources.set(name, text);
    for (const imported of importsOf(name, text)) add(imported);
  };
  for (const path of globSync("contracts/**/*.sol", { cwd: root }).sort()) add(path);
  return sources;
}

/** These sources and all that they import, however far. */
export function closureOf(sources: Sources, names: Iterable<string>): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (name: string) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const imported of importsOf(name, sources.get(name) ?? "")) visit(imported);
  };
  for (const name of names) visit(name);
  return reached;
}

/** The standard JSON input for these files and what they import. */
export function standardInput(
  sources: Sources,
  names: readonly string[],
  settings: Settings,
  output: Record<string, readonly string[]>,
): string {
  const closure = [...closureOf(sources, names)];
  return JSON.stringify({
    language: "Solidity",
    sources: Object.fromEntries(closure.map((name) => [name, { content: sources.get(name) ?? "" }])),
    settings: { ...settings, outputSelection: Object.fromEntries(names.map((name) => [name, output])) },
  });
}

export class CompilationFailed extends Error {
  readonly isStackTooDeep: boolean;

  constructor(messages: readonly string[]) {
    super(messages.join("\n"));
    this.name = "CompilationFailed";
    this.isStackTooDeep = messages.some((message) => /stack too deep/i.test(message));
  }
}

/** Runs solc on a standard JSON input. */
export function runSolc(input: string): CompilerOutput {
  const output: CompilerOutput = JSON.parse(solc.compile(input));
  const errors = output.errors?.filter(({ severity }) => severity === "error") ?? [];
  if (errors.length > 0) throw new CompilationFailed(errors.map(({ formattedMessage }) => formattedMessage));
  return output;
}

/** Compiles the contracts of these files. */
export function compile(
  sources: Sources,
  names: readonly string[],
  settings: Settings,
): readonly CompiledContract[] {
  const { contracts = {} } = runSolc(standardInput(sources, names, settings, { "*": contractOutput }));
  return Object.entries(contracts).flatMap(([source, byName]) =>
    Object.entries(byName).map(([name, { abi, evm }]) => ({
      source,
      name,
      abi,
      creation: evm.bytecode,
      runtime: evm.deployedBytecode,
    })),
  );
}

/** The syntax tree of each of these files. */
export function parse(sources: Sources, names: readonly string[]): ReadonlyMap<string, unknown> {
  const output = runSolc(standardInput(sources, names, { evmVersion }, { "": ["ast"] }));
  return new Map(names.map((name) => [name, output.sources?.[name]?.ast]));
}
