/** Which code carries money, and so is mutated. A new library is mutated unless it is named here. */
import { globSync } from "node:fs";
import { root } from "./compiler.ts";

interface LeftOut {
  /** Files that no token, stake or deadline depends on. */
  readonly files: readonly string[];
  /** Functions of a mutated file that move nothing, by file. */
  readonly functions: Readonly<Record<string, readonly string[]>>;
}

const mutated = ["contracts/*.sol", "contracts/libraries/*.sol"];

const leftOut: LeftOut = {
  files: [
    "contracts/libraries/Admission.sol",
    "contracts/libraries/Peers.sol",
    "contracts/libraries/Profiles.sol",
  ],
  functions: {
    // Deployment, which test/contracts/governance.test.ts checks, and reads.
    "contracts/PaymentEscrow.sol": ["constructor"],
    // The network map: profiles, status, reads. What is left is stake and capacity.
    "contracts/NodeRegistry.sol": [
      "constructor",
      "register",
      "updateProfile",
      "setFloor",
      "drain",
      "resume",
      "nodesPaged",
      "activeSinceOf",
      "_changeStatus",
    ],
    "contracts/TaskRegistry.sol": ["constructor", "admittedAt"],
  },
};

/**
 * Tests that judge the build, not the rules: they fail without the optimiser, whatever the contract does. Any other
 * failing test stops the run.
 */
export const testsOfTheBuild: readonly RegExp[] = [
  /keeps each contract under 24 KB/,
  /fit into a block/,
  /cost the same for each change/,
];

export interface Target {
  readonly file: string;
  readonly leftOut: ReadonlySet<string>;
}

export function targets(): readonly Target[] {
  const files = globSync(mutated, { cwd: root })
    .sort()
    .filter((file) => !file.endsWith(".t.sol") && !leftOut.files.includes(file));
  const named = [...leftOut.files, ...Object.keys(leftOut.functions)];
  const gone = named.filter((file) => !globSync(file, { cwd: root }).length);
  if (gone.length > 0)
    throw new Error(`scripts/mutation/targets.ts names ${gone.join(", ")}: there is no such file`);
  return files.map((file) => ({ file, leftOut: new Set(leftOut.functions[file] ?? []) }));
}
