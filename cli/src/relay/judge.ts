import {
  type Deployment,
  type ForwardRequest,
  forwarderDomain,
  forwardRequestTypes,
  paymentEscrowAbi,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { type Address, decodeFunctionData, isAddressEqual, recoverTypedDataAddress } from "viem";

/** Why a relay carries a batch not. */
export interface Refusal {
  readonly code:
    | "invalid"
    | "other-signer"
    | "other-target"
    | "other-call"
    | "fee-missing"
    | "expired"
    | "replayed"
    | "in-flight"
    | "too-many"
    | "would-fail"
    | "too-dear"
    | "busy";
  readonly message: string;
}

/** What a relay asks of a batch. */
export interface RelayRules {
  readonly deployment: Deployment;
  readonly relayer: Address;
  /** Base units that each batch gives the relayer. */
  readonly fee: bigint;
}

/** Seconds that a batch must still be good for: it has to be mined first. */
const MARGIN_SECONDS = 30;

/** What consumers call. Everything else, such as a node's calls, is not for a relay. */
const CARRIED: ReadonlySet<string> = new Set([
  "deposit",
  "depositWithPermit",
  "withdraw",
  "transferFree",
  "createTask",
  "createAndAward",
  "grantKeys",
  "topUp",
  "cancelTask",
  "approve",
  "claimUndelivered",
]);

/**
 * Judges a batch by what it says, without the chain: one signer, the market's own contracts, a consumer's calls, and the fee
 * among them. Pure; `now` is chain time, Unix seconds. Whether it holds, and is signed, is for the chain to say.
 */
export function judgeBatch(
  requests: readonly ForwardRequest[],
  rules: RelayRules,
  now: number,
): Refusal | undefined {
  const { paymentEscrow, taskRegistry } = rules.deployment;
  const [first] = requests;
  if (first === undefined) return { code: "invalid", message: "requests: got none, expected 1 or more." };
  let paid = 0n;
  for (const [index, { from, to, data, deadline }] of requests.entries()) {
    const at = `requests.${index}`;
    if (from !== first.from)
      return {
        code: "other-signer",
        message: `${at}.from: got ${from}, expected ${first.from} as in the first.`,
      };
    if (isAddressEqual(from, rules.relayer))
      return { code: "other-signer", message: `${at}.from: the relay carries no calls of its own.` };
    const isEscrow = isAddressEqual(to, paymentEscrow);
    if (!isEscrow && !isAddressEqual(to, taskRegistry)) {
      const expected = `the market's TaskRegistry ${taskRegistry} or PaymentEscrow ${paymentEscrow}`;
      return { code: "other-target", message: `${at}.to: got ${to}, expected ${expected}.` };
    }
    const call = decoded(data, isEscrow);
    if (call === undefined || !CARRIED.has(call.functionName))
      return {
        code: "other-call",
        message: `${at}.data: got ${call?.functionName ?? "no call of that contract"}, expected one of ${[...CARRIED].join(", ")}.`,
      };
    if (call.functionName === "transferFree") {
      const [payee, amount] = call.args as readonly [Address, bigint];
      if (isAddressEqual(payee, rules.relayer)) paid += amount;
    }
    if (deadline < now + MARGIN_SECONDS)
      return {
        code: "expired",
        message: `${at}.deadline: got ${deadline}, expected ${now + MARGIN_SECONDS} or later.`,
      };
  }
  if (paid >= rules.fee) return undefined;
  return {
    code: "fee-missing",
    message: `The batch gives ${rules.relayer} ${paid} base units by transferFree, the fee is ${rules.fee}.`,
  };
}

/** Whether each call is signed at the next nonce in turn: a batch that was carried before is not. */
export async function judgeSignatures(
  requests: readonly ForwardRequest[],
  { chainId, forwarder }: Deployment,
  nonce: bigint,
): Promise<Refusal | undefined> {
  for (const [index, { signature, ...message }] of requests.entries()) {
    const signer = await recoverTypedDataAddress({
      domain: forwarderDomain(chainId, forwarder),
      types: forwardRequestTypes,
      primaryType: "ForwardRequest",
      message: { ...message, nonce: nonce + BigInt(index) },
      signature,
    }).catch(() => undefined);
    if (signer !== undefined && isAddressEqual(signer, message.from)) continue;
    return {
      code: "replayed",
      message: `requests.${index}.signature: not of ${message.from} at nonce ${nonce + BigInt(index)}; it may have been carried already.`,
    };
  }
  return undefined;
}

function decoded(data: ForwardRequest["data"], isEscrow: boolean) {
  try {
    const { functionName, args } = decodeFunctionData({
      abi: isEscrow ? paymentEscrowAbi : taskRegistryAbi,
      data,
    });
    return { functionName, args: args ?? [] };
  } catch {
    return undefined;
  }
}
