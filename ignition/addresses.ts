import { getCreateAddress } from "ethers";

export interface MarketAddresses {
  readonly taskRegistry: string;
  readonly nodeRegistry: string;
  readonly paymentEscrow: string;
  readonly liveness: string;
}

/**
 * Where the market's contracts will be. The modules first send, in any order, what knows of no other contract: Governance, the
 * forwarder, TaskRegistry's libraries and, on networks with a demo token, DemoDollar. Then come TaskRegistry, NodeRegistry,
 * PaymentEscrow and Liveness, each after the one before.
 */
export function predictAddresses(deployer: string, nonce: number, withDemoToken: boolean): MarketAddresses {
  const first = nonce + (withDemoToken ? 8 : 7);
  const at = (offset: number) => getCreateAddress({ from: deployer, nonce: first + offset });
  return { taskRegistry: at(0), nodeRegistry: at(1), paymentEscrow: at(2), liveness: at(3) };
}
