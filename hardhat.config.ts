import hardhatToolboxMochaEthers from "@nomicfoundation/hardhat-toolbox-mocha-ethers";
import { configVariable, defineConfig, overrideTask } from "hardhat/config";
import { sharedCompiler } from "./scripts/shared-build.ts";

/** One compiler setting for tests, demo and production: what is tested is what is deployed. */
const compiler = {
  version: "0.8.37",
  // npm's solc: the same build everywhere, and no download.
  path: sharedCompiler(),
  settings: {
    // Transient storage (the reentrancy guard) needs cancun; nothing needs a later one, and rollups lag behind.
    evmVersion: "cancun",
    viaIR: true,
    optimizer: { enabled: true, runs: 200 },
  },
};

/** Instrumented code must never be deployed: a coverage run keeps its build apart, the types with their bytecode too. */
const isCoverage = process.argv.includes("--coverage");
const build = isCoverage ? { artifacts: "coverage/build/artifacts", cache: "coverage/build/cache" } : {};

/** `scripts/invariants.ts` draws its own seed and goes on for longer; alone it is the same each time, and over soon. */
const draws = {
  seed: process.env.DEKUPER_FUZZ_SEED ?? "0xdecade",
  runs: Number(process.env.DEKUPER_INVARIANT_RUNS ?? 8),
  depth: Number(process.env.DEKUPER_INVARIANT_DEPTH ?? 150),
};

export default defineConfig({
  plugins: [hardhatToolboxMochaEthers],
  tasks: [
    overrideTask("build")
      .setAction(() => import("./scripts/build-task.ts"))
      .build(),
  ],
  solidity: {
    profiles: { default: compiler, production: compiler },
    // A deployment does not wait for the Solidity tests to compile.
    splitTestsCompilation: true,
  },
  test: {
    solidity: {
      fuzz: { runs: 512, seed: draws.seed },
      invariant: { runs: draws.runs, depth: draws.depth, failOnRevert: false },
    },
  },
  typechain: { outDir: isCoverage ? "coverage/build/types" : "types/ethers-contracts" },
  paths: { ...build, tests: { mocha: "test/contracts" } },
  networks: {
    /** `npx hardhat node --network local`: a chain of one's own that mines each transaction at once. */
    local: { type: "edr-simulated", chainType: "l1", chainId: 31337 },
    /** Whatever chain DEKUPER_RPC_URL serves, for `scripts/deploy.ts`. */
    external: {
      type: "http",
      chainType: "l1",
      url: configVariable("DEKUPER_RPC_URL"),
      accounts: [configVariable("DEKUPER_DEPLOYER_KEY")],
    },
  },
});
