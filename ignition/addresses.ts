import { getCreateAddress } from "ethers";

export interface MarketAddresses {
  readonly taskRegistry: string;
  readonly nodeRegistry: string;
  readonly paymentEscrow: string;
  readonly liveness: string;
}

/**
 * Where the market's contracts will be. The modules send Governance and, on networks with a demo token, DemoDollar first, in
 * either order; then TaskRegistry, NodeRegistry, PaymentEscrow and Liveness, each after the one before.
 */
export function predictAddresses(deployer: string, nonce: number, withDemoToken: boolean): MarketAddresses {
  const first = nonce + (withDemoToken ? 2 : 1);
  const at = (offset: number) => getCreateAddress({ from: deployer, nonce: first + offset });
  return { taskRegistry: at(0), nodeRegistry: at(1), paymentEscrow: at(2), liveness: at(3) };
}
