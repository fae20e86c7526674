import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import DemoDollar from "./DemoDollar.ts";
import Governance from "./Governance.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
/** The payment token: an address that is a parameter, or the demo token that is deployed first. */
type Token = ReturnType<Builder["getParameter"]> | (typeof DemoDollar)["results"]["token"];

/**
 * The contracts, which know each other by immutable addresses. They are deployed one after another, so that
 * `ignition/addresses.ts` can say beforehand where each will be; the constructors of the later ones check it.
 */
function market(m: Builder, token: Token) {
  const { governance } = m.useModule(Governance);
  const forwarder = m.contract("Forwarder");
  const libraries = {
    Awards: m.library("Awards"),
    Leases: m.library("Leases"),
    Evidence: m.library("Evidence"),
    Quorums: m.library("Quorums"),
    Deliveries: m.library("Deliveries"),
  };
  const predicted = {
    liveness: m.getParameter("liveness"),
    nodeRegistry: m.getParameter("nodeRegistry"),
    paymentEscrow: m.getParameter("paymentEscrow"),
  };
  const taskRegistry = m.contract(
    "TaskRegistry",
    [
      governance,
      forwarder,
      predicted.nodeRegistry,
      predicted.paymentEscrow,
      predicted.liveness,
      m.getParameter("task"),
      m.getParameter("taskMin"),
      m.getParameter("taskMax"),
    ],
    { libraries, ...("contractName" in token ? { after: [token] } : {}) },
  );
  const nodeRegistry = m.contract("NodeRegistry", [
    governance,
    taskRegistry,
    predicted.paymentEscrow,
    predicted.liveness,
    m.getParameter("evidencePeriod"),
    m.getParameter("node"),
    m.getParameter("nodeMin"),
    m.getParameter("nodeMax"),
  ]);
  const paymentEscrow = m.contract("PaymentEscrow", [
    token,
    forwarder,
    m.getParameter("feeRecipient"),
    taskRegistry,
    nodeRegistry,
  ]);
  const liveness = m.contract(
    "Liveness",
    [
      governance,
      nodeRegistry,
      m.getParameter("livenessInitial"),
      m.getParameter("livenessMin"),
      m.getParameter("livenessMax"),
    ],
    { after: [paymentEscrow] },
  );
  return { governance, forwarder, taskRegistry, nodeRegistry, paymentEscrow, liveness };
}

/** With the payment token that production names. */
export const Market = buildModule("Market", (m) => market(m, m.getParameter<string>("token")));

/** With a demo token of its own. */
export const DemoMarket = buildModule("Market", (m) => {
  const { token } = m.useModule(DemoDollar);
  return { ...market(m, token), token };
});
