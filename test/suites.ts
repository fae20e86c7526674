import type { Suite } from "./lib/run-suite.ts";

const bin = (name: string) => `node_modules/.bin/${name}`;
const check = (group: string, name: string, command: Suite["command"], timeout = 300): Suite => ({
  group,
  name,
  command,
  counts: "command",
  timeout,
});
const nodeTests = (group: string, name: string, globs: readonly string[], timeout = 600): Suite => ({
  group,
  name,
  command: ["node", "--test", "--disable-warning=ExperimentalWarning", ...globs],
  counts: "node-test",
  timeout,
});
const integration = (name: string, glob: string, timeout: number): Suite => ({
  ...nodeTests("integration", name, ["--test-concurrency=1", glob]),
  timeout,
});

const alone = (uses: NonNullable<Suite["uses"]>, suite: Suite): Suite => ({ ...suite, uses });

/** One after another: what is cheap, and what the rest needs. */
const first: readonly Suite[] = [
  check("lint", "Biome", [bin("biome"), "check", "--error-on-warnings", "."]),
  check("lint", "import directions", [
    bin("depcruise"),
    "--config",
    ".dependency-cruiser.cjs",
    "protocol/src",
    "client/src",
    "oracle/src",
    "kubernetes/src",
    "cli/src",
    "frontend/app",
    "frontend/features",
    "frontend/ui",
  ]),
  check("lint", "solhint", [bin("solhint"), "--max-warnings", "0", "contracts/**/*.sol"]),
  check("contracts", "contracts compile", [bin("hardhat"), "compile"]),
  // On a new machine this takes a quarter of an hour; after it, the cache has them.
  check("integration", "programs of the embedded cluster", ["node", "kubernetes/src/main.ts", "build"], 2400),
  check("integration", "images of the embedded cluster", ["node", "kubernetes/src/main.ts", "images"], 1200),
];

/** Two at a time, each as soon as it may. Those on clusters mostly wait, and together take longest. */
const rest: readonly Suite[] = [
  alone("clusters", integration("embedded Kubernetes", "kubernetes/test/integration/*.test.ts", 900)),
  // In one process, so that all its files share one cluster.
  alone("clusters", {
    ...nodeTests("integration", "cluster driver", [
      "--test-isolation=none",
      "--test-concurrency=1",
      "oracle/test/integration/*.test.ts",
    ]),
    timeout: 900,
  }),
  alone("clusters", integration("a task's life and its failures", "test/integration/*.test.ts", 1800)),
  // The types of `test` are typechain's: made by compiling.
  ...["protocol", "client", "oracle", "kubernetes", "cli", "frontend", "test"].map((workspace) =>
    check("types", `types of ${workspace}`, [bin("tsc"), "--project", workspace]),
  ),
  check("generated", "generated files are fresh", ["node", "scripts/generate.ts", "--check"]),
  nodeTests("lint", "pages: links, paths, scripts, incidents", ["test/docs/*.test.ts"], 60),
  nodeTests("units", "set-up", ["test/setup/*.test.ts"]),
  nodeTests("units", "protocol", ["protocol/test/*.test.ts"]),
  nodeTests("units", "kubernetes", ["kubernetes/test/*.test.ts"]),
  { group: "contracts", name: "contracts", command: [bin("hardhat"), "test"], counts: "mocha", timeout: 900 },
  check("contracts", "contracts' coverage", ["node", "scripts/check-coverage.ts"], 900),
  nodeTests("units", "client", ["client/test/**/*.test.ts"]),
  nodeTests("units", "oracle", [
    "oracle/test/{plan,journal,daemon,config,keystore,peer,cluster,result,doctor}/*.test.ts",
  ]),
  // Up to seven whole daemons on a real chain, who mostly wait for it.
  nodeTests(
    "units",
    "oracles on a chain",
    ["--test-concurrency=2", "oracle/test/{chain,committee}/*.test.ts"],
    1500,
  ),
  // It brings up clusters of its own, beside those of other suites.
  alone(
    "the built dApp",
    nodeTests("end-to-end", "demo and command", ["--test-concurrency=1", "test/end-to-end/*.test.ts"], 1800),
  ),
  alone(
    "the built dApp",
    nodeTests("browser", "dApp", ["--test-concurrency=1", "frontend/test/*.test.ts"], 900),
  ),
  nodeTests("units", "command", ["cli/test/*.test.ts"]),
];

/** Every suite of `npm test`: a step begins when the one before it has ended. */
export const steps: readonly { readonly jobs: number; readonly suites: readonly Suite[] }[] = [
  { jobs: 1, suites: first },
  { jobs: 2, suites: rest },
];
