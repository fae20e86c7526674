import {
  addressOfPublicKey,
  nodeDomain,
  nodeRegistryAbi,
  registerTypes,
  registryPublicKey,
} from "@dekuper/protocol";
import { type Address, encodeAbiParameters, type Hex, keccak256, type LocalAccount } from "viem";
import { getAbiItem } from "viem/utils";
import type { NodeProfile, UnitRates } from "./nodes.ts";
import { profileArguments } from "./nodes.ts";
import { plain, requireWallet, type Sender, type SentTransaction, send } from "./send.ts";

/** Seconds for which a registration's signature may be used. */
const REGISTER_LIFE = 1800n;

const registryOf = (sender: Sender) =>
  ({ address: sender.network.deployment.nodeRegistry, abi: nodeRegistryAbi }) as const;

/** `keccak256(abi.encode(profile))`, as the operator signs it. */
export function profileDigest(profile: NodeProfile): Hex {
  const [parameter] = getAbiItem({ abi: nodeRegistryAbi, name: "register" }).inputs;
  return keccak256(encodeAbiParameters([parameter], [profileArguments(profile)]));
}

/** Registers a node: the operator's key proves itself by a signature, the wallet becomes its owner and pays. */
export async function registerNode(
  sender: Sender,
  operator: Pick<LocalAccount, "publicKey" | "signTypedData">,
  profile: NodeProfile,
): Promise<SentTransaction & { readonly node: Address }> {
  const owner = requireWallet(sender, "register the node").account.address;
  const node = addressOfPublicKey(operator.publicKey);
  const head = await sender.client.getBlock();
  const deadline = head.timestamp + REGISTER_LIFE;
  const { deployment } = sender.network;
  const signature = await operator.signTypedData({
    domain: nodeDomain(deployment.chainId, deployment.nodeRegistry),
    types: registerTypes,
    primaryType: "Register",
    message: {
      owner,
      operator: node,
      encryptionKey: profile.encryptionKey,
      profileDigest: profileDigest(profile),
      deadline,
    },
  });
  const sent = await send(sender, "register the node", {
    ...registryOf(sender),
    functionName: "register",
    args: [profileArguments(profile), registryPublicKey(operator.publicKey), deadline, signature],
  });
  return { ...plain(sent), node };
}

export async function updateProfile(
  sender: Sender,
  node: Address,
  profile: NodeProfile,
): Promise<SentTransaction> {
  const args = [node, profileArguments(profile)] as const;
  return plain(
    await send(sender, "update the profile", { ...registryOf(sender), functionName: "updateProfile", args }),
  );
}

export async function setFloor(sender: Sender, node: Address, floor: UnitRates): Promise<SentTransaction> {
  const args = [node, floor] as const;
  return plain(
    await send(sender, "set the floor", { ...registryOf(sender), functionName: "setFloor", args }),
  );
}

/** Calls that take nothing but the node. */
export async function nodeCall(
  sender: Sender,
  functionName: "drain" | "resume" | "revokeOperator" | "releaseUnbonded",
  node: Address,
): Promise<SentTransaction> {
  const what = {
    drain: "drain the node",
    resume: "resume the node",
    revokeOperator: "revoke the operator",
    releaseUnbonded: "release unbonded stake",
  }[functionName];
  return plain(await send(sender, what, { ...registryOf(sender), functionName, args: [node] }));
}

/** Moves free escrow balance into the node's stake. */
export async function stake(sender: Sender, node: Address, amount: bigint): Promise<SentTransaction> {
  const args = [node, amount] as const;
  return plain(await send(sender, "stake", { ...registryOf(sender), functionName: "stake", args }));
}

/** Starts unbonding stake that no lease locks. */
export async function unstake(sender: Sender, node: Address, amount: bigint): Promise<SentTransaction> {
  const args = [node, amount] as const;
  return plain(await send(sender, "unstake", { ...registryOf(sender), functionName: "unstake", args }));
}

/** Moves all stake of one of the wallet's nodes to another of them, as after a change of the operator's key (rule 4). */
export async function migrate(sender: Sender, from: Address, to: Address): Promise<SentTransaction> {
  const args = [from, to] as const;
  return plain(
    await send(sender, "move the stake", { ...registryOf(sender), functionName: "migrate", args }),
  );
}
