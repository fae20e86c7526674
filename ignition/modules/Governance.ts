import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** Who may set parameters and pause. It is told the registries' addresses before they exist. */
export default buildModule("Governance", (m) => {
  const governance = m.contract("Governance", [
    m.getParameter("governor"),
    m.getParameter("executionDelay"),
    m.getParameter("guardian"),
    m.getParameter("pausable"),
  ]);
  return { governance };
});
