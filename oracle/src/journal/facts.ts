import { decodeWrap, isDekuperError, leaseId as leaseIdOf, type Order } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { Database, Row } from "./database.ts";
import { fromJson, toJson } from "./json.ts";

/** A block that facts were read from. */
export interface StoredBlock {
  readonly number: number;
  readonly hash: Hex;
}

/** An order as its `TaskCreated` event carries it. */
export interface OrderedTask {
  readonly taskId: Hex;
  readonly consumer: Address;
  readonly order: Order;
}

/** One lease of an order. */
export interface OrderedLease extends OrderedTask {
  readonly leaseId: Hex;
  readonly index: number;
}

/** Events of a lease that the oracle keeps. `LeaseFailed` is no end: the event after it says what becomes of the lease. */
const LEASE_EVENTS = [
  "LeaseAssigned",
  "LeaseStarted",
  "LeaseStopping",
  "LeaseCompleted",
  "LeaseSettled",
  "LeaseFailed",
  "LeaseEnded",
  "AttemptLost",
  "LeaseReopened",
  "ResultRevealed",
  "UndeliveredClaimed",
  "DeliveryJudged",
  "ClaimLapsed",
] as const;
export type LeaseEvent = (typeof LEASE_EVENTS)[number];
const leaseEvents: ReadonlySet<string> = new Set(LEASE_EVENTS);
export const isLeaseEvent = (name: string): name is LeaseEvent => leaseEvents.has(name);

/** One decoded log, as far as the oracle keeps it. */
export type ChainFact = { readonly block: number; readonly logIndex: number } & (
  | { readonly kind: "task"; readonly task: OrderedTask }
  | {
      readonly kind: "lease";
      readonly event: LeaseEvent;
      readonly leaseId: Hex;
      readonly node?: Address;
      readonly attempt?: number;
      /** Of the state that the event begins, Unix seconds. */
      readonly deadline?: number;
    }
  | { readonly kind: "node"; readonly node: Address }
  | { readonly kind: "grant"; readonly taskId: Hex; readonly node: Address; readonly wrap: Hex }
);

/** A lease attempt that a node was given. */
export interface Assignment {
  readonly leaseId: Hex;
  readonly attempt: number;
  /** Of the assignment. */
  readonly block: number;
  /** The node has started it on chain. */
  readonly isStarted: boolean;
}

/** A consumer's claim that an output was not delivered, of which no later event has decided. */
export interface DeliveryClaim {
  readonly leaseId: Hex;
  readonly attempt: number;
  readonly node: Address;
  /** Of the claim, and of the attestation that it is about. */
  readonly block: number;
  readonly attestedIn: number;
}

/** Block hashes kept behind the cursor, and the one below them: a reorg deeper than this has everything read again. */
const KEPT_BLOCKS = 512;
/** Beyond what an order's attempts may take: after it nobody looks after its leases any more. */
const WAITS_SECONDS = 30 * 86_400;

const ORDERED = "SELECT * FROM leases JOIN tasks USING (task_id)";
const NEXT = `(? IS NULL OR (leases.block, lease_id) > (SELECT block, lease_id FROM leases WHERE lease_id = ?))
  ORDER BY leases.block, lease_id LIMIT ?`;
const UNTOUCHED = "NOT EXISTS (SELECT 1 FROM lease_events WHERE lease_events.lease_id = leases.lease_id)";
/** The lease's newest event is its reopening: nobody has taken it over, and it has not ended. */
const REOPENED = `EXISTS (SELECT 1 FROM lease_events AS lost
  WHERE lost.lease_id = leases.lease_id AND lost.kind = 'LeaseReopened' AND lost.deadline >= ?
  AND NOT EXISTS (SELECT 1 FROM lease_events AS later WHERE later.lease_id = lost.lease_id
    AND (later.block, later.log_index) > (lost.block, lost.log_index)))`;

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
      for (const table of ["tasks", "leases", "lease_events", "node_events", "key_grants"])
        this.db.run(`DELETE FROM ${table} WHERE block > ?`, toBlock);
      this.db.run("DELETE FROM blocks WHERE number > ?", toBlock);
    });
  }

  /**
   * Orders that nobody has taken and that may still be taken at `now` (chain time), oldest first. `after` goes on behind a
   * lease, so that orders that fit nobody never hide the ones behind them.
   */
  openTasks(now: number, limit: number, after: Hex | null = null): OrderedLease[] {
    return this.db
      .all(`${ORDERED} WHERE open_until >= ? AND ${UNTOUCHED} AND ${NEXT}`, now, after, after, limit)
      .map(orderedLease);
  }

  /** Leases that their nodes have lost and that another may take over at `now` (chain time). */
  reopenedLeases(now: number, limit: number, after: Hex | null = null): OrderedLease[] {
    return this.db
      .all(
        `${ORDERED} WHERE lease_id IN (SELECT lease_id FROM lease_events WHERE kind = 'LeaseReopened' AND deadline >= ?)
         AND ${REOPENED} AND ${NEXT}`,
        now,
        now,
        after,
        after,
        limit,
      )
      .map(orderedLease);
  }

  /** Leases that somebody was given and that are neither completed nor over, oldest first. */
  liveLeases(now: number, limit: number, after: Hex | null = null): OrderedLease[] {
    return this.db
      .all(
        `${ORDERED} WHERE over_by >= ? AND NOT ${UNTOUCHED}
         AND NOT EXISTS (SELECT 1 FROM lease_events WHERE lease_events.lease_id = leases.lease_id
           AND kind IN ('LeaseCompleted', 'LeaseSettled', 'LeaseEnded'))
         AND ${NEXT}`,
        now,
        after,
        after,
        limit,
      )
      .map(orderedLease);
  }

  /** Whether `openTasks` or `reopenedLeases` would still show a lease. */
  isOpen(leaseId: Hex, now: number): boolean {
    return (
      this.db.get(
        `${ORDERED} WHERE lease_id = ? AND ((open_until >= ? AND ${UNTOUCHED}) OR ${REOPENED})`,
        leaseId,
        now,
        now,
      ) !== undefined
    );
  }

  lease(leaseId: Hex): OrderedLease | undefined {
    const row = this.db.get(`${ORDERED} WHERE lease_id = ?`, leaseId);
    return row && orderedLease(row);
  }

  /** Lease attempts that were ever assigned to a node and that no later event has ended. */
  assignedTo(node: Address): Assignment[] {
    return this.db
      .all(
        `SELECT lease_id, attempt, block, EXISTS (SELECT 1 FROM lease_events AS began
           WHERE began.lease_id = given.lease_id AND began.kind = 'LeaseStarted' AND began.attempt = given.attempt) AS started
         FROM lease_events AS given WHERE node = ? AND kind = 'LeaseAssigned'
         AND NOT EXISTS (SELECT 1 FROM lease_events AS later WHERE later.lease_id = given.lease_id
           AND (later.kind IN ('LeaseSettled', 'LeaseEnded')
             OR (later.kind = 'AttemptLost' AND later.attempt = given.attempt)))
         ORDER BY block, log_index`,
        node,
      )
      .map((row) => ({
        leaseId: row.lease_id as Hex,
        attempt: row.attempt as number,
        block: row.block as number,
        isStarted: row.started === 1,
      }));
  }

  /** Wraps of a private task's key that a node was handed, newest first. */
  grantsTo(node: Address, taskId: Hex): Hex[] {
    return this.db
      .all(
        "SELECT wrap FROM key_grants WHERE task_id = ? AND node = ? ORDER BY block DESC, log_index DESC",
        taskId,
        node,
      )
      .map((row) => row.wrap as Hex);
  }

  /** Whether a node was handed a task key of this salt: it can read what was sealed under it. */
  wasGranted(node: Address, salt: Hex): boolean {
    return this.db.get("SELECT 1 FROM key_grants WHERE salt = ? AND node = ?", salt, node) !== undefined;
  }

  /** Whether a task's keys are of this salt. */
  hasSalt(taskId: Hex, salt: Hex): boolean {
    return this.db.get("SELECT 1 FROM key_grants WHERE task_id = ? AND salt = ?", taskId, salt) !== undefined;
  }

  /** Delivery claims that may be answered at `now` (chain time), oldest first. */
  openClaims(now: number, limit: number): DeliveryClaim[] {
    return this.db
      .all(
        `SELECT lease_id, attempt, node, block, (SELECT max(block) FROM lease_events AS attested
           WHERE attested.lease_id = claim.lease_id AND attested.kind IN ('LeaseCompleted', 'ResultRevealed')) AS attested_in
         FROM lease_events AS claim WHERE kind = 'UndeliveredClaimed' AND deadline >= ? AND attested_in IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM lease_events AS later WHERE later.lease_id = claim.lease_id
           AND later.kind IN ('DeliveryJudged', 'ClaimLapsed') AND (later.block, later.log_index) > (claim.block, claim.log_index))
         ORDER BY block, log_index LIMIT ?`,
        now,
        limit,
      )
      .map((row) => ({
        leaseId: row.lease_id as Hex,
        attempt: row.attempt as number,
        node: row.node as Address,
        block: row.block as number,
        attestedIn: row.attested_in as number,
      }));
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
        this.insertTask(fact.task, fact.block);
        return;
      case "lease":
        this.db.run(
          `INSERT OR REPLACE INTO lease_events (lease_id, kind, node, attempt, deadline, block, log_index)
           VALUES (?, ?, ?, ?, ?, ?, ?)`,
          fact.leaseId,
          fact.event,
          fact.node ?? null,
          fact.attempt ?? null,
          fact.deadline ?? null,
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
        return;
      case "grant":
        this.db.run(
          "INSERT OR REPLACE INTO key_grants (task_id, node, wrap, salt, block, log_index) VALUES (?, ?, ?, ?, ?, ?)",
          fact.taskId,
          fact.node,
          fact.wrap,
          saltOf(fact.wrap),
          fact.block,
          fact.logIndex,
        );
    }
  }

  private insertTask({ taskId, consumer, order }: OrderedTask, block: number): void {
    this.db.run(
      "INSERT OR REPLACE INTO tasks (task_id, consumer, order_json, open_until, block) VALUES (?, ?, ?, ?, ?)",
      taskId,
      consumer,
      toJson(order),
      order.openUntil,
      block,
    );
    const attempts = order.maxAttempts * (order.startWindow + order.maxDuration);
    for (let index = 0; index < order.leases; index++)
      this.db.run(
        "INSERT OR REPLACE INTO leases (lease_id, task_id, lease_index, over_by, block) VALUES (?, ?, ?, ?, ?)",
        leaseIdOf(taskId, index),
        taskId,
        index,
        order.openUntil + BigInt(attempts + WAITS_SECONDS),
        block,
      );
  }
}

function orderedLease(row: Row): OrderedLease {
  return {
    taskId: row.task_id as Hex,
    leaseId: row.lease_id as Hex,
    index: row.lease_index as number,
    consumer: row.consumer as Address,
    order: fromJson<Order>(row.order_json as string),
  };
}

/** Null where the wrap is not one of ours: anyone may write anything into their own task. */
function saltOf(wrap: Hex): Hex | null {
  try {
    return decodeWrap(wrap).salt;
  } catch (error) {
    if (isDekuperError(error, "KEY_WRAP_INVALID")) return null;
    throw error;
  }
}
