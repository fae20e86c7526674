import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import DemoDollar from "./DemoDollar.ts";
import Governance from "./Governance.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
/** The payment token: an address that is a parameter, or the demo token that is deployed first. */
type Token = ReturnType<Builder["getParameter"]> | (typeof DemoDollar)["results"]["token"];

/**
 * The four contracts, which know each other by immutable addresses. They are deployed one after another, so that
 * `ignition/addresses.ts` can say beforehand where each will be; the constructors of the later ones check it.
 */
function market(m: Builder, token: Token) {
  const { governance } = m.useModule(Governance);
  const predicted = {
    taskRegistry: m.getParameter("taskRegistry"),
    nodeRegistry: m.getParameter("nodeRegistry"),
    paymentEscrow: m.getParameter("paymentEscrow"),
    liveness: m.getParameter("liveness"),
  };
  const taskRegistry = m.contract(
    "TaskRegistry",
    [
      governance,
      predicted.nodeRegistry,
      predicted.paymentEscrow,
      m.getParameter("task"),
      m.getParameter("taskMin"),
      m.getParameter("taskMax"),
    ],
    "contractName" in token ? { after: [token] } : {},
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
  return { governance, taskRegistry, nodeRegistry, paymentEscrow, liveness };
}

/** With the payment token that production names. */
export const Market = buildModule("Market", (m) => market(m, m.getParameter<string>("token")));

/** With a demo token of its own. */
export const DemoMarket = buildModule("Market", (m) => {
  const { token } = m.useModule(DemoDollar);
  return { ...market(m, token), token };
});
