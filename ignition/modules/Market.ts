import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";
import DemoDollar from "./DemoDollar.ts";
import Governance from "./Governance.ts";

type Builder = Parameters<Parameters<typeof buildModule>[1]>[0];
type Token = Parameters<Builder["contract"]>[1] extends readonly (infer A)[] | undefined ? A : never;

/**
 * The three contracts, which know each other by immutable addresses. They are deployed one after another, so that
 * `ignition/addresses.ts` can say beforehand where each will be; the constructors of the later ones check it.
 */
function market(m: Builder, token: NonNullable<Token>) {
  const { governance } = m.useModule(Governance);
  const predicted = {
    taskRegistry: m.getParameter("taskRegistry"),
    nodeRegistry: m.getParameter("nodeRegistry"),
    paymentEscrow: m.getParameter("paymentEscrow"),
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
    typeof token === "object" && "contractName" in token ? { after: [token as never] } : {},
  );
  const nodeRegistry = m.contract("NodeRegistry", [
    governance,
    taskRegistry,
    predicted.paymentEscrow,
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
  return { governance, taskRegistry, nodeRegistry, paymentEscrow };
}

/** With the payment token that production names. */
export const Market = buildModule("Market", (m) => market(m, m.getParameter<string>("token")));

/** With a demo token of its own. */
export const DemoMarket = buildModule("Market", (m) => {
  const { token } = m.useModule(DemoDollar);
  return { ...market(m, token), token };
});
