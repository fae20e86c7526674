import { setTimeout as sleep } from "node:timers/promises";
import { chainOf, createMarket, type Market, walletClientOf } from "@dekuper/client";
import { livenessAbi, taskRegistryAbi } from "@dekuper/protocol";
import { privateKeyToAccount } from "viem/accounts";
import { freshAccount } from "../../cli/src/network/accounts.ts";
import { fundAccounts } from "../../cli/src/network/funding.ts";
import { startProvider } from "../../cli/src/network/provider.ts";
import type { LocalProvider } from "../../cli/src/network/state.ts";
import type { NetworkFixture } from "./network-fixture.ts";

const ignore = () => undefined;
const quiet = { step: ignore, detail: ignore, activity: ignore, done: ignore };

/** The provider whose node that is, those that came later included. */
export function providerOf(network: NetworkFixture, node: string | undefined): LocalProvider {
  const found = network.state.require().providers.find(({ operator }) => operator.address === node);
  if (found === undefined) throw new Error(`no provider has the node ${node}`);
  return found;
}

/** The market as a provider's owner has it. */
export function marketOfOwner(network: NetworkFixture, { owner }: LocalProvider): Market {
  return marketOf(network, owner.privateKey);
}

/** Another owner's provider, with a node and an oracle of its own, on the cluster of one that has left. */
export async function joinInPlaceOf(
  network: NetworkFixture,
  gone: LocalProvider,
  name: string,
): Promise<void> {
  const { record, state } = network;
  const [owner, operator] = [freshAccount(), freshAccount()];
  await fundAccounts(record.network, record.accounts.deployer, [
    { to: owner.address, ether: "10", dollars: 10_000 },
    { to: operator.address, ether: "10", dollars: 0 },
  ]);
  const { images } = record.network;
  const { kubeconfig, clusterDir } = gone;
  const cluster = {
    provider: name,
    kubeconfig,
    ...(clusterDir === undefined ? {} : { clusterDir }),
    helperImage: images.busybox ?? "",
    images,
  };
  const keys = { owner, operator };
  await startProvider({
    state,
    progress: quiet,
    network: record.network,
    cluster,
    ...keys,
    keepFinishedPods: false,
  });
  await network.reconnect();
}

/** Oracles that hold seats and take no leases. */
const SEATS: readonly string[] = ["seat1", "seat2"];

/** The network's committee, formed once: its providers of that moment, and two oracles beside the second that only judge. */
export async function formCommittee(network: NetworkFixture): Promise<void> {
  const [, beside, ...others] = network.state.require().providers;
  if (beside === undefined) throw new Error("a committee needs two providers");
  if (others.some(({ name }) => SEATS.includes(name))) return;
  for (const name of SEATS) await joinInPlaceOf(network, beside, name);
  const { providers } = network.state.require();
  for (const provider of providers) {
    const market = marketOfOwner(network, provider);
    const { address } = provider.operator;
    if (SEATS.includes(provider.name)) await market.drain(address);
    const { minSeatStake } = await market.seatBid(address);
    await market.bid(address, minSeatStake);
  }
  // The oracles install it themselves when the epoch ends.
  for (const provider of providers) {
    while (!(await marketOfOwner(network, provider).seatBid(provider.operator.address)).isSeated)
      await sleep(500);
  }
}

/** Since when the committee has called a node offline (Unix seconds), 0: it has not, or the node has come back. */
export function offlineSince(network: NetworkFixture, { operator }: LocalProvider): Promise<bigint> {
  const { publicClient } = network.session.market;
  const at = { address: network.record.network.deployment.liveness, abi: livenessAbi } as const;
  return publicClient.readContract({ ...at, functionName: "offlineSince", args: [operator.address] });
}

/** As many vCPUs as one of the active nodes has: no node can have two such leases. */
export async function wholeNode({ session: { market } }: NetworkFixture): Promise<number> {
  const active = (await market.nodes()).filter(({ status }) => status === "Active");
  return Math.min(...active.map(({ profile }) => profile.vCpus));
}

/** How long the gangs of new orders wait for a replacement; what the market had before comes back. */
export async function setReplaceWindow(network: NetworkFixture, seconds: number): Promise<number> {
  const { accounts, network: local } = network.record;
  const { publicClient, wallet } = marketOf(network, accounts.deployer.privateKey);
  if (wallet === undefined) throw new Error("the deployer has no wallet");
  const at = { address: local.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const before = await publicClient.readContract({ ...at, functionName: "parameters" });
  const after = { ...before, terms: { ...before.terms, replaceWindow: seconds } };
  const hash = await wallet.writeContract({
    ...at,
    functionName: "setParameters",
    args: [after],
    account: wallet.account,
    chain: chainOf(local),
  });
  const receipt = await publicClient.waitForTransactionReceipt({ hash });
  if (receipt.status !== "success") throw new Error("the parameters could not be set");
  return before.terms.replaceWindow;
}

function marketOf({ record: { network } }: NetworkFixture, privateKey: `0x${string}`): Market {
  return createMarket({ network, walletClient: walletClientOf(network, privateKeyToAccount(privateKey)) });
}
