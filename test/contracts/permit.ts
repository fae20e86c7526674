/** The consumer's signatures that others carry: permits of the token, and calls through the forwarder. */
import type { HDNodeWallet } from "ethers";
import { domainOf, ethers, type Market } from "./market.ts";

const permitTypes = {
  Permit: [
    { name: "owner", type: "address" },
    { name: "spender", type: "address" },
    { name: "value", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint256" },
  ],
};

export const requestTypes = {
  ForwardRequest: [
    { name: "from", type: "address" },
    { name: "to", type: "address" },
    { name: "value", type: "uint256" },
    { name: "gas", type: "uint256" },
    { name: "nonce", type: "uint256" },
    { name: "deadline", type: "uint48" },
    { name: "data", type: "bytes" },
  ],
};

/** What the forwarder takes: the signed fields, less the nonce that it knows, and the signature. */
export interface ForwardRequest {
  from: string;
  to: string;
  value: bigint;
  gas: bigint;
  deadline: bigint;
  data: string;
  signature: string;
}

/** Lets the escrow take `value` of the owner's tokens. */
export async function permit(market: Market, who: HDNodeWallet, value: bigint, deadline: bigint) {
  const domain = await domainOf("Demo Dollar", await market.token.getAddress());
  const nonce = await market.token.nonces(who.address);
  const spender = await market.escrow.getAddress();
  return ethers.Signature.from(
    await who.signTypedData(domain, permitTypes, { owner: who.address, spender, value, nonce, deadline }),
  );
}

/** The n-th call from now on that `who` signs for a carrier to send. */
export async function request(
  market: Market,
  who: HDNodeWallet,
  to: string,
  data: string,
  deadline: bigint,
  ahead = 0n,
): Promise<ForwardRequest> {
  const domain = await domainOf("Dekuper Forwarder", await market.forwarder.getAddress());
  const nonce = (await market.forwarder.nonces(who.address)) + ahead;
  const fields = { from: who.address, to, value: 0n, gas: 3_000_000n, deadline, data };
  const signature = await who.signTypedData(domain, requestTypes, { ...fields, nonce });
  return { ...fields, signature };
}
