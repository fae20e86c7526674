import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/** The worthless payment token of tests and the local network. */
export default buildModule("DemoDollar", (m) => ({ token: m.contract("DemoDollar") }));
