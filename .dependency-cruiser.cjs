/** Imports go one way: protocol <- client <- frontend, protocol <- oracle, and only cli sees client, oracle and kubernetes. */
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join("-") || "nothing"}`,
  severity: "error",
  comment: `docs/architecture.md: ${from} may see ${allowed.join(", ") || "no other workspace"}`,
  from: { path: `^${from}/src` },
  to: {
    path: "^(protocol|client|oracle|cli|kubernetes|frontend|bench|test|scripts)/",
    pathNot: [`^${from}/`, ...allowed.map((name) => `^${name}/`)],
  },
});

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "no-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("protocol", []),
    only("client", ["protocol"]),
    only("oracle", ["protocol"]),
    only("kubernetes", []),
    only("frontend", ["protocol", "client"]),
    only("cli", ["protocol", "client", "oracle", "kubernetes"]),
    {
      name: "a-plan-is-pure",
      severity: "error",
      comment: "docs/architecture.md: the planner imports no client library and no effect",
      from: { path: "^oracle/src/plan" },
      to: {
        path: "viem/actions|client-node|libp2p|node:fs|node:sqlite|oracle/src/(chain|daemon|journal)/",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "the-browser-has-no-node",
      severity: "error",
      comment: "protocol and client (but for client/src/node) run in the browser",
      from: { path: "^(protocol|client)/src", pathNot: "^client/src/node" },
      to: { dependencyTypes: ["core"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)(\\.next|types/ethers-contracts|artifacts)/" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "default"],
      extensions: [".ts", ".tsx", ".mjs", ".js"],
    },
  },
};
