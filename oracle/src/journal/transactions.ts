import type { Address, Hex } from "viem";
import type { Database, Row } from "./database.ts";

/**
 * Two gas budgets (rule 31): `capped` for what can wait (accept, checkpoint, settle, expire, the committee's calls), `reserved`
 * for what a live lease must be able to send (start, complete, commit, reveal, fail, its answers, stillAlive).
 */
export type GasBudget = "capped" | "reserved";

/**
 * `pending`: a nonce is taken and signed bytes are kept, perhaps sent. `mined`, `reverted`: there is a receipt.
 * `replaced`: the nonce went to a transaction that is not ours. `refused`: no RPC took it; the nonce is free again.
 */
export type TransactionState = "pending" | "mined" | "reverted" | "replaced" | "refused";

export interface JournalledSend {
  readonly hash: Hex;
  readonly raw: Hex;
  readonly maxFee: bigint;
  readonly tip: bigint;
  /** Unix milliseconds. */
  readonly sentAt: number;
}

export interface JournalledTransaction {
  readonly id: number;
  readonly purpose: string;
  readonly budget: GasBudget;
  readonly nonce: number;
  readonly target: Address;
  readonly data: Hex;
  readonly gas: bigint;
  readonly state: TransactionState;
  readonly block?: number;
  readonly createdAt: number;
  /** Newest last. */
  readonly sends: readonly JournalledSend[];
}

/** Every transaction, written before it is sent. */
export class TransactionJournal {
  private readonly db: Database;
  private readonly now: () => number;

  constructor(db: Database, now: () => number) {
    this.db = db;
    this.now = now;
  }

  prepare(
    from: { purpose: string; budget: GasBudget; nonce: number; target: Address; data: Hex; gas: bigint },
    send: Omit<JournalledSend, "sentAt">,
  ): number {
    return this.db.transaction(() => {
      this.db.run(
        `INSERT INTO transactions (purpose, budget, nonce, target, data, gas, state, created_at)
         VALUES (?, ?, ?, ?, ?, ?, 'pending', ?)`,
        from.purpose,
        from.budget,
        from.nonce,
        from.target,
        from.data,
        from.gas.toString(),
        this.now(),
      );
      const { id } = this.db.get("SELECT last_insert_rowid() AS id") as { id: number };
      this.addSend(id, send);
      return id;
    });
  }

  /** The same bytes again, once a refusal has freed their nonce, are the later transaction's. */
  addSend(id: number, send: Omit<JournalledSend, "sentAt">): void {
    this.db.run(
      `INSERT INTO sends (hash, transaction_id, raw, max_fee, tip, sent_at) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (hash) DO UPDATE SET transaction_id = excluded.transaction_id, sent_at = excluded.sent_at`,
      send.hash,
      id,
      send.raw,
      send.maxFee.toString(),
      send.tip.toString(),
      this.now(),
    );
  }

  finish(id: number, state: TransactionState, mined?: { block: number; cost: bigint }): void {
    this.db.run(
      "UPDATE transactions SET state = ?, block = ?, cost = ? WHERE id = ?",
      state,
      mined?.block ?? null,
      mined?.cost.toString() ?? null,
      id,
    );
  }

  /** A reorg has taken the receipt away: it is waited for again. */
  reopen(id: number): void {
    this.db.run("UPDATE transactions SET state = 'pending', block = NULL WHERE id = ?", id);
  }

  pending(): JournalledTransaction[] {
    return this.select("state = 'pending'");
  }

  /** It was seen in a final block: no reorg takes it back. */
  settle(id: number): void {
    this.db.run("UPDATE transactions SET is_final = 1 WHERE id = ?", id);
  }

  /** Mined, and not seen in a final block yet. */
  unsettled(): JournalledTransaction[] {
    return this.select("state IN ('mined', 'reverted') AND is_final = 0");
  }

  get(id: number): JournalledTransaction | undefined {
    return this.select("id = ?", id)[0];
  }

  /** The highest nonce that was ever used, or undefined. */
  highestNonce(): number | undefined {
    const row = this.db.get("SELECT max(nonce) AS nonce FROM transactions WHERE state <> 'refused'");
    return typeof row?.nonce === "number" ? row.nonce : undefined;
  }

  /** What one budget has cost since then, wei; a pending transaction counts with its most. */
  spentSince(budget: GasBudget, since: number): bigint {
    let total = 0n;
    for (const row of this.db.all(
      `SELECT cost, gas, state, (SELECT max_fee FROM sends WHERE transaction_id = id ORDER BY sent_at DESC LIMIT 1) AS fee
       FROM transactions WHERE budget = ? AND created_at >= ?`,
      budget,
      since,
    )) {
      if (row.cost !== null) total += BigInt(row.cost as string);
      else if (row.state === "pending")
        total += BigInt(row.gas as string) * BigInt((row.fee ?? "0") as string);
    }
    return total;
  }

  private select(where: string, ...values: (string | number)[]): JournalledTransaction[] {
    return this.db
      .all(`SELECT * FROM transactions WHERE ${where} ORDER BY nonce, id`, ...values)
      .map((row) => this.record(row));
  }

  private record(row: Row): JournalledTransaction {
    const sends = this.db
      .all("SELECT * FROM sends WHERE transaction_id = ? ORDER BY sent_at, rowid", row.id as number)
      .map((send) => ({
        hash: send.hash as Hex,
        raw: send.raw as Hex,
        maxFee: BigInt(send.max_fee as string),
        tip: BigInt(send.tip as string),
        sentAt: send.sent_at as number,
      }));
    return {
      id: row.id as number,
      purpose: row.purpose as string,
      budget: row.budget as GasBudget,
      nonce: row.nonce as number,
      target: row.target as Address,
      data: row.data as Hex,
      gas: BigInt(row.gas as string),
      state: row.state as TransactionState,
      createdAt: row.created_at as number,
      ...(row.block === null ? {} : { block: row.block as number }),
      sends,
    };
  }
}
