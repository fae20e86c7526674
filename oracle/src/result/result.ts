import type { Outcome, TaskSpec } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { AttemptObservation } from "../cluster/driver.ts";

/** A finished run, encrypted and synced to the blob store: everything the attestation needs of it. */
export interface SealedResult {
  readonly outcome: Outcome;
  readonly exitCode: number;
  readonly outputDigest: Hex;
  readonly logDigest: Hex;
  /** Merkle root of the ciphertext: also its name in the blob store (`kind: "output"`). */
  readonly ciphertextRoot: Hex;
  readonly ciphertextSize: number;
  /** Entries of /output that were left out, with the reason. */
  readonly skipped: readonly { path: string; reason: string }[];
}

/** Turns an ended run into a sealed result: output and log are read once, encrypted once, synced to disk. */
export interface ResultSealer {
  seal(
    from: {
      observation: AttemptObservation;
      spec: TaskSpec;
      outcome: Outcome;
      log: Uint8Array;
      /** Age recipient. Default: the spec's. */
      recipient?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<SealedResult>;
}
