import {
  domainOf,
  ethers,
  HOUR,
  type Market,
  networkHelpers,
  now,
  people,
  profile,
  profileType,
  provider,
  registerTypes,
} from "../../test/contracts/market.ts";

/** Half a block at most, so that the base fee stays where it is. */
const PER_BLOCK = 50;

/** Registers nodes `from` to `to` for one owner, each with its own operator's signature; returns their addresses. */
export async function registerNodes(market: Market, from: number, to: number): Promise<string[]> {
  const { owner } = people;
  const domain = await domainOf("Dekuper NodeRegistry", await market.nodes.getAddress());
  const registry = await market.nodes.getAddress();
  const declared = profile();
  const encoded = ethers.AbiCoder.defaultAbiCoder().encode([profileType], [declared]);
  const registration = {
    owner: owner.address,
    encryptionKey: declared.encryptionKey,
    profileDigest: ethers.keccak256(encoded),
    deadline: (await now()) + HOUR,
  };
  const { chainId } = await ethers.provider.getNetwork();
  const fees = { maxFeePerGas: 100n * 10n ** 9n, maxPriorityFeePerGas: 1n };
  const common = { type: 2, chainId, to: registry, gasLimit: 500_000n, ...fees };
  let nonce = await owner.getNonce();
  const nodes: string[] = [];
  await networkHelpers.setBalance(owner.address, 10n ** 24n);
  await provider.request({ method: "evm_setAutomine", params: [false] });
  for (let start = from; start < to; start += PER_BLOCK) {
    for (let index = start; index < Math.min(start + PER_BLOCK, to); index++) {
      const { address, signingKey } = new ethers.Wallet(ethers.id(`registered node ${index}`));
      const digest = ethers.TypedDataEncoder.hash(domain, registerTypes, {
        ...registration,
        operator: address,
      });
      const data = market.nodes.interface.encodeFunctionData("register", [
        declared,
        `0x${signingKey.publicKey.slice(4)}`,
        registration.deadline,
        signingKey.sign(digest).serialized,
      ]);
      const raw = await owner.signTransaction({ ...common, nonce: nonce++, data });
      await provider.request({ method: "eth_sendRawTransaction", params: [raw] });
      nodes.push(address);
    }
    await networkHelpers.mine();
  }
  await provider.request({ method: "evm_setAutomine", params: [true] });
  return nodes;
}
