/** Imports go one way: protocol <- client <- frontend, protocol <- oracle, and only cli sees client, oracle and kubernetes. */
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join("-") || "nothing"}`,
  severity: "error",
  comment: `docs/architecture.md: ${from} may see ${allowed.join(", ") || "no other workspace"}`,
  from: { path: `^${from}/`, pathNot: `^${from}/test/` },
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
        path: "viem/actions|client-node|libp2p|^(node:)?(fs|net|http|sqlite|crypto)|^oracle/src/(?!plan/)",
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "what-acts-does-not-decide",
      severity: "error",
      comment: "docs/architecture.md: the daemon composes the parts; none of them knows it, or the plan",
      from: { path: "^oracle/src/(chain|cluster|result|peer|journal|keystore|config)/" },
      to: { path: "^oracle/src/(plan|daemon|doctor)/" },
    },
    {
      name: "components-know-no-market",
      severity: "error",
      comment: "frontend/README.md: ui/ is without knowledge of the market",
      from: { path: "^frontend/ui/" },
      to: { path: "^frontend/(app|features)/" },
    },
    {
      name: "the-browser-has-no-node",
      severity: "error",
      comment: "protocol and client (but for their src/node) run in the browser",
      from: { path: "^(protocol|client)/src", pathNot: "^(protocol|client)/src/node/" },
      to: { dependencyTypes: ["core"] },
    },
    {
      name: "the-browser-imports-no-node-part",
      severity: "error",
      from: { path: "^(protocol/src|client/src|frontend)/", pathNot: "^(protocol|client)/src/node/" },
      to: { path: "^(protocol|client)/src/node/" },
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
