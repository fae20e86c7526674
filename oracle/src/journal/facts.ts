import type { Order } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { Database } from "./database.ts";
import { fromJson, toJson } from "./json.ts";

/** A block that facts were read from. */
export interface StoredBlock {
  readonly number: number;
  readonly hash: Hex;
}

/** An order as its `TaskCreated` event carries it. */
export interface OpenTask {
  readonly taskId: Hex;
  readonly leaseId: Hex;
  readonly consumer: Address;
  readonly order: Order;
}

/** One decoded log, as far as the oracle keeps it. */
export type ChainFact = { readonly block: number; readonly logIndex: number } & (
  | { readonly kind: "task"; readonly task: OpenTask }
  | {
      readonly kind: "lease";
      readonly event: string;
      readonly leaseId: Hex;
      readonly node?: Address;
      readonly attempt?: number;
    }
  | { readonly kind: "node"; readonly node: Address }
);

/** Block hashes kept behind the cursor, and the one below them: a reorg deeper than this has everything read again. */
const KEPT_BLOCKS = 512;

/** What the log follower has read, with its cursor: both change in one transaction. */
export class FactStore {
  private readonly db: Database;

  constructor(db: Database) {
    this.db = db;
  }

  cursor(): StoredBlock | undefined {
    return this.newestBlocks(1)[0];
  }

  /** Newest first. */
  blocks(): StoredBlock[] {
    return this.newestBlocks(-1);
  }

  record(facts: readonly ChainFact[], cursor: StoredBlock): void {
    this.db.transaction(() => {
      for (const fact of facts) this.insert(fact);
      this.db.run("INSERT OR REPLACE INTO blocks (number, hash) VALUES (?, ?)", cursor.number, cursor.hash);
      this.db.run(
        "DELETE FROM blocks WHERE number < (SELECT max(number) FROM blocks WHERE number <= ?)",
        cursor.number - KEPT_BLOCKS,
      );
    });
  }

  /** Takes back everything above a block. */
  rewind(toBlock: number): void {
    this.db.transaction(() => {
      for (const table of ["tasks", "lease_events", "node_events"])
        this.db.run(`DELETE FROM ${table} WHERE block > ?`, toBlock);
      this.db.run("DELETE FROM blocks WHERE number > ?", toBlock);
    });
  }

  /**
   * Orders that nobody has taken and that may still be taken at `now` (chain time), oldest first. `after` goes on behind a
   * lease, so that orders that fit nobody never hide the ones behind them.
   */
  openTasks(now: number, limit: number, after?: Hex): OpenTask[] {
    return this.db
      .all(
        `SELECT task_id, lease_id, consumer, order_json FROM tasks
         WHERE open_until >= ? AND NOT EXISTS (
           SELECT 1 FROM lease_events WHERE lease_events.lease_id = tasks.lease_id)
         AND (? IS NULL OR (block, lease_id) > (SELECT block, lease_id FROM tasks WHERE lease_id = ?))
         ORDER BY block, lease_id LIMIT ?`,
        now,
        after ?? null,
        after ?? null,
        limit,
      )
      .map((row) => ({
        taskId: row.task_id as Hex,
        leaseId: row.lease_id as Hex,
        consumer: row.consumer as Address,
        order: fromJson<Order>(row.order_json as string),
      }));
  }

  /** Whether `openTasks` would still show an order. */
  isOpen(leaseId: Hex, now: number): boolean {
    return (
      this.db.get(
        `SELECT 1 FROM tasks WHERE lease_id = ? AND open_until >= ? AND NOT EXISTS (
           SELECT 1 FROM lease_events WHERE lease_events.lease_id = tasks.lease_id)`,
        leaseId,
        now,
      ) !== undefined
    );
  }

  task(leaseId: Hex): OpenTask | undefined {
    const row = this.db.get("SELECT * FROM tasks WHERE lease_id = ?", leaseId);
    if (row === undefined) return undefined;
    return {
      taskId: row.task_id as Hex,
      leaseId,
      consumer: row.consumer as Address,
      order: fromJson<Order>(row.order_json as string),
    };
  }

  /** Lease attempts that were ever assigned to a node and that no later event has ended. */
  assignedTo(node: Address): { leaseId: Hex; attempt: number }[] {
    return this.db
      .all(
        `SELECT lease_id, attempt FROM lease_events AS given WHERE node = ? AND kind = 'LeaseAssigned'
         AND NOT EXISTS (SELECT 1 FROM lease_events AS later WHERE later.lease_id = given.lease_id
           AND later.kind IN ('LeaseSettled', 'LeaseCancelled', 'LeaseFailed', 'LeaseExpired'))
         ORDER BY block, log_index`,
        node,
      )
      .map((row) => ({ leaseId: row.lease_id as Hex, attempt: row.attempt as number }));
  }

  meta(key: string): string | undefined {
    return this.db.get("SELECT value FROM meta WHERE key = ?", key)?.value as string | undefined;
  }

  setMeta(key: string, value: string): void {
    this.db.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, value);
  }

  private newestBlocks(limit: number): StoredBlock[] {
    return this.db
      .all("SELECT number, hash FROM blocks ORDER BY number DESC LIMIT ?", limit)
      .map(({ number, hash }) => ({ number: number as number, hash: hash as Hex }));
  }

  private insert(fact: ChainFact): void {
    switch (fact.kind) {
      case "task":
        this.db.run(
          `INSERT OR REPLACE INTO tasks (lease_id, task_id, consumer, order_json, open_until, block)
           VALUES (?, ?, ?, ?, ?, ?)`,
          fact.task.leaseId,
          fact.task.taskId,
          fact.task.consumer,
          toJson(fact.task.order),
          fact.task.order.openUntil,
          fact.block,
        );
        return;
      case "lease":
        this.db.run(
          `INSERT OR REPLACE INTO lease_events (lease_id, kind, node, attempt, block, log_index)
           VALUES (?, ?, ?, ?, ?, ?)`,
          fact.leaseId,
          fact.event,
          fact.node ?? null,
          fact.attempt ?? null,
          fact.block,
          fact.logIndex,
        );
        return;
      case "node":
        this.db.run(
          "INSERT OR REPLACE INTO node_events (node, block, log_index) VALUES (?, ?, ?)",
          fact.node,
          fact.block,
          fact.logIndex,
        );
    }
  }
}
