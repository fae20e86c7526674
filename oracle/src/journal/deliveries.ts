import type { Hex } from "viem";
import type { Database } from "./database.ts";

/** One claim that an output was not delivered: a lease attempt may have several, one after another. */
export interface ClaimKey {
  readonly leaseId: Hex;
  readonly attempt: number;
  /** Unix seconds of the claim's block. */
  readonly claimedAt: number;
}

/** What this node said of a claim as an attester. */
export interface OwnVerdict {
  readonly fetched: boolean;
  readonly signature: Hex;
}

/** Receipts that this node was given, and verdicts that it gave. Every method has written and synced when it returns. */
export class DeliveryJournal {
  private readonly db: Database;
  private readonly now: () => number;

  /** `now` in Unix milliseconds. */
  constructor(db: Database, now: () => number) {
    this.db = db;
    this.now = now;
  }

  /** Keeps the consumer's receipt; the newest stands, since each was checked. */
  recordReceipt(leaseId: Hex, attempt: number, signature: Hex): void {
    this.db.run(
      "INSERT OR REPLACE INTO receipts (lease_id, attempt, signature, received_at) VALUES (?, ?, ?, ?)",
      leaseId,
      attempt,
      signature,
      this.now(),
    );
  }

  receipt(leaseId: Hex, attempt: number): Hex | undefined {
    const row = this.db.get(
      "SELECT signature FROM receipts WHERE lease_id = ? AND attempt = ?",
      leaseId,
      attempt,
    );
    return row?.signature as Hex | undefined;
  }

  /** The contract does not take it: a contract account has changed its mind, or its keys. */
  dropReceipt(leaseId: Hex, attempt: number): void {
    this.db.run("DELETE FROM receipts WHERE lease_id = ? AND attempt = ?", leaseId, attempt);
  }

  /** Keeps what is said of a claim, before anybody hears it. The first stands for ever, and is returned. */
  recordVerdict({ leaseId, attempt, claimedAt }: ClaimKey, verdict: OwnVerdict): OwnVerdict {
    this.db.run(
      "INSERT OR IGNORE INTO verdicts (lease_id, attempt, claimed_at, fetched, signature) VALUES (?, ?, ?, ?, ?)",
      leaseId,
      attempt,
      claimedAt,
      verdict.fetched ? 1 : 0,
      verdict.signature,
    );
    return this.verdict({ leaseId, attempt, claimedAt }) ?? verdict;
  }

  verdict({ leaseId, attempt, claimedAt }: ClaimKey): OwnVerdict | undefined {
    const row = this.db.get(
      "SELECT fetched, signature FROM verdicts WHERE lease_id = ? AND attempt = ? AND claimed_at = ?",
      leaseId,
      attempt,
      claimedAt,
    );
    return row && { fetched: row.fetched === 1, signature: row.signature as Hex };
  }
}
