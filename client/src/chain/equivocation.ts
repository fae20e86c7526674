import {
  attestationDigest,
  DekuperError,
  type Network,
  outputAttestationTypes,
  paymentEscrowAbi,
  type SignedAttestation,
  taskDomain,
  taskRegistryAbi,
} from "@dekuper/protocol";
import {
  type Address,
  type Hex,
  isAddressEqual,
  type PublicClient,
  parseEventLogs,
  recoverTypedDataAddress,
  zeroAddress,
} from "viem";
import { chainError } from "./errors.ts";
import { plain, type Sender, type SentTransaction, send } from "./send.ts";

/** Two different attestations of one attempt, both signed by its node: checked, not yet on chain. */
export interface Equivocation {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly node: Address;
  /** What the attempt still has at stake, base units: the most that the proof takes. */
  readonly lock: bigint;
}

/** A proof that the chain has taken. Base units. */
export interface ProvenEquivocation extends SentTransaction, Equivocation {
  readonly slashed: bigint;
  /** Of what was slashed, credited to the reporter's free balance: at most a fifth (rule 3). */
  readonly reward: bigint;
}

/**
 * Checks two attestations before gas is spent on them. `ATTESTATION_INVALID`: they are of different attempts, are the same,
 * or one is not signed by the attempt's node. `NOT_FOUND`: there is no such attempt. `WRONG_STATE`: all of its lock was
 * taken by an earlier proof.
 */
export async function checkEquivocation(
  client: PublicClient,
  network: Network,
  first: SignedAttestation,
  second: SignedAttestation,
): Promise<Equivocation> {
  const { leaseId, attempt } = first.attestation;
  for (const key of ["leaseId", "attempt"] as const) {
    if (first.attestation[key] === second.attestation[key]) continue;
    throw refused(
      `The attestations are of different runs: ${key} is ${first.attestation[key]} and ${second.attestation[key]}.`,
    );
  }
  const digest = attestationDigest(first.attestation);
  if (digest === attestationDigest(second.attestation))
    throw refused(`Both files hold the same attestation (${digest}): signing it twice is allowed.`);
  const accused = await readAccused(client, network, leaseId, attempt);
  for (const [which, signed] of [
    ["first", first],
    ["second", second],
  ] as const) {
    const signer = await signerOf(signed, network);
    if (signer !== undefined && isAddressEqual(signer, accused.node)) continue;
    throw refused(
      `The ${which} attestation is signed by ${signer ?? "nobody"}, attempt ${attempt} was node ${accused.node}'s.`,
    );
  }
  if (accused.isProven && accused.lock === 0n) {
    throw new DekuperError("WRONG_STATE", `Attempt ${attempt} of lease ${leaseId} has been proven already.`, {
      details: { leaseId, attempt },
      hint: "An earlier report took all of its lock.",
    });
  }
  return { leaseId, attempt, node: accused.node, lock: accused.lock };
}

/** Checks both attestations, then proves on chain that their node signed them. Anyone may (rule 3). */
export async function proveEquivocation(
  sender: Sender,
  first: SignedAttestation,
  second: SignedAttestation,
): Promise<ProvenEquivocation> {
  const checked = await checkEquivocation(sender.client, sender.network, first, second);
  const sent = await send(sender, "take the proof", {
    address: sender.network.deployment.taskRegistry,
    abi: taskRegistryAbi,
    functionName: "proveEquivocation",
    args: [first.attestation, first.signature, second.attestation, second.signature],
  });
  const { logs } = sent.receipt;
  const [proven] = parseEventLogs({ abi: taskRegistryAbi, logs, eventName: "EquivocationProven" });
  if (proven === undefined)
    throw new DekuperError("INTERNAL", `No EquivocationProven event in ${sent.hash}.`);
  const [forfeited] = parseEventLogs({ abi: paymentEscrowAbi, logs, eventName: "StakeForfeited" });
  return {
    ...plain(sent),
    ...checked,
    slashed: proven.args.slashed,
    reward: forfeited?.args.reward ?? 0n,
  };
}

/** The node of a present or past attempt, with what it has at stake. */
async function readAccused(client: PublicClient, network: Network, leaseId: Hex, attempt: number) {
  const contract = { address: network.deployment.taskRegistry, abi: taskRegistryAbi } as const;
  const [lease, past] = await Promise.all([
    client.readContract({ ...contract, functionName: "getLease", args: [leaseId] }),
    client.readContract({ ...contract, functionName: "getPastAttempt", args: [leaseId, attempt] }),
  ]).catch((cause) => {
    throw chainError(cause, "read the accused lease", network);
  });
  if (past.node !== zeroAddress) return past;
  if (lease.node !== zeroAddress && lease.attempt === attempt) return lease;
  throw new DekuperError("NOT_FOUND", `There is no attempt ${attempt} of a lease ${leaseId}.`, {
    details: { leaseId, attempt },
    hint: "Are the attestations of this network? Their `leaseId` names the lease.",
  });
}

async function signerOf(signed: SignedAttestation, { deployment }: Network): Promise<Address | undefined> {
  return recoverTypedDataAddress({
    domain: taskDomain(deployment.chainId, deployment.taskRegistry),
    types: outputAttestationTypes,
    primaryType: "OutputAttestation",
    message: signed.attestation,
    signature: signed.signature,
  }).catch(() => undefined);
}

function refused(message: string): DekuperError {
  return new DekuperError("ATTESTATION_INVALID", message, {
    hint: "Equivocation is two different attestations of one lease and attempt, both signed by its node.",
  });
}
