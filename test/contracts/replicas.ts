/** Builders: a task of three replicas that commit and reveal. */
import type { HDNodeWallet } from "ethers";
import {
  type AttestationInput,
  account,
  busyLocalMarket,
  digest,
  ethers,
  type LeaseRef,
  type Market,
  people,
} from "./market.ts";

const { owner, stranger } = people;
export const replicas: readonly HDNodeWallet[] = [people.operator, account(10), account(11)];
export const QUORUM = 1;

/** Three nodes, each with an owner of its own. */
export async function threeNodes(fixture = busyLocalMarket): Promise<Market> {
  const market = await fixture();
  for (const [index, operator] of replicas.entries()) {
    if (index > 0) await market.activeNode({}, operator, account(12 + index));
  }
  return market;
}

export interface Vote {
  readonly ref: LeaseRef;
  readonly attestation: AttestationInput;
  readonly signature: string;
  readonly salt: string;
}

/** A task of three replicas, all of which run. */
export async function running(market: Market, threshold = 2): Promise<LeaseRef[]> {
  const order = { leases: 3, threshold, verification: QUORUM, fundedSeconds: 3000 };
  const task = await market.award(order, replicas);
  for (const [index, leaseId] of task.leaseIds.entries()) {
    await market.tasks.connect(replicas[index]).startLease(leaseId, 1);
  }
  return task.leaseIds.map((leaseId) => ({ taskId: task.taskId, leaseId }));
}

export async function commitmentOf(
  market: Market,
  vote: Omit<Vote, "signature">,
  node: string,
): Promise<string> {
  const { attestation, salt } = vote;
  const { chainId } = await ethers.provider.getNetwork();
  const claim = (await market.structHashOf(attestation)) as string;
  return ethers.keccak256(
    ethers.AbiCoder.defaultAbiCoder().encode(
      ["uint256", "address", "bytes32", "uint32", "address", "bytes32", "bytes32", "bytes32"],
      [
        chainId,
        await market.tasks.getAddress(),
        attestation.leaseId,
        attestation.attempt,
        node,
        attestation.outputDigest,
        claim,
        salt,
      ],
    ),
  );
}

/** The replica ends its run with this output, `ran` seconds after its start or now; `send` commits to it. */
export async function prepare(market: Market, ref: LeaseRef, index: number, output: string, ran?: bigint) {
  const operator = replicas[index] as HDNodeWallet;
  const { startedAt } = await market.tasks.getLease(ref.leaseId);
  const end = ran === undefined ? {} : { ended: startedAt + ran };
  const attestation = await market.attestation(ref, { outputDigest: digest(output), ...end });
  const salt = digest(`salt ${index}`);
  const signature = await market.sign(attestation, operator);
  const vote: Vote = { ref, attestation, signature, salt };
  const commitment = await commitmentOf(market, vote, operator.address);
  return { vote, send: () => market.tasks.connect(operator).commitResult(ref.leaseId, 1, commitment) };
}

export async function commit(
  market: Market,
  ref: LeaseRef,
  index: number,
  output: string,
  ran?: bigint,
): Promise<Vote> {
  const { vote, send } = await prepare(market, ref, index, output, ran);
  await send();
  return vote;
}

export const reveal = (market: Market, { attestation, signature, salt }: Vote) =>
  market.tasks.connect(stranger).revealResult(attestation, signature, salt);

/** What the owner of a replica has earned in all, base units. */
export const earned = (market: Market, index: number) =>
  market.escrow.earningsOf(index === 0 ? owner.address : account(12 + index).address);
