import { type Address, type Hex, hashTypedData, recoverAddress } from "viem";

/** Nodes in both lists of a report together, at most (rule 25). */
export const MAX_REPORT_CHANGES = 64;

/** What the committee has seen change (rules 24 and 25). Both lists strictly ascending. The contract's `Report`. */
export interface LivenessReport {
  readonly epoch: number;
  readonly committeeVersion: number;
  /** Timestamp of the latest block that the signers had seen, Unix seconds of the chain's clock. */
  readonly issuedAt: number;
  readonly offline: readonly Address[];
  readonly online: readonly Address[];
}

/** EIP-712 domain of Liveness: the committee's reports are signed in it. */
export function livenessDomain(chainId: number, liveness: Address) {
  return { name: "Dekuper Liveness", version: "1", chainId, verifyingContract: liveness } as const;
}

export const reportTypes = {
  Report: [
    { name: "epoch", type: "uint64" },
    { name: "committeeVersion", type: "uint32" },
    { name: "issuedAt", type: "uint64" },
    { name: "offline", type: "address[]" },
    { name: "online", type: "address[]" },
  ],
} as const;

/** The report as the contract takes it. */
export function reportInput(report: LivenessReport) {
  const { committeeVersion, offline, online } = report;
  return {
    epoch: BigInt(report.epoch),
    committeeVersion,
    issuedAt: BigInt(report.issuedAt),
    offline,
    online,
  };
}

/** What a seat signs. */
export function reportTypedData(chainId: number, liveness: Address, report: LivenessReport) {
  return {
    domain: livenessDomain(chainId, liveness),
    types: reportTypes,
    primaryType: "Report",
    message: reportInput(report),
  } as const;
}

/** Who has signed a report, or undefined for what is no signature. */
export async function reportSigner(
  chainId: number,
  liveness: Address,
  report: LivenessReport,
  signature: Hex,
): Promise<Address | undefined> {
  const hash = hashTypedData(reportTypedData(chainId, liveness, report));
  return recoverAddress({ hash, signature }).catch(() => undefined);
}

/** The order in which the contract takes nodes and signers: by the address as a number. */
export function byAddress(left: Address, right: Address): number {
  const [a, b] = [left.toLowerCase(), right.toLowerCase()];
  return a < b ? -1 : a > b ? 1 : 0;
}
