import type { Address, Hex } from "viem";
import type { Database } from "./database.ts";

/** What a quote promises, before it is signed. */
export interface QuoteHold {
  readonly consumer: Address;
  readonly orderHash: Hex;
  /** Who asked: a registered node, or a stranger's host. */
  readonly asker: string;
  readonly memberIndex: number;
  readonly gpus: number;
  readonly vCpus: number;
  readonly memoryMiB: bigint;
  /** Stake that the lease would lock, base units. */
  readonly lock: bigint;
  /** Chain time, Unix seconds. */
  readonly expiry: number;
}

/** Nonces that a second has room for: more than a node can sign in it. */
const NONCES_PER_SECOND = 2 ** 20;
/** The journal counts in numbers: beyond it there is no next nonce. */
export const MOST_NONCE = 2n ** 52n;
/** Chain time for which a quote is remembered after its expiry. */
const KEPT_SECONDS = 3_600;
const LAST_NONCE = "lastQuoteNonce";

/**
 * The quotes that this node has signed. Nonces are sequential, and each start of the daemon begins at the clock, above all that
 * earlier ones gave out: neither a lost state folder nor a restored one makes a node repeat a nonce.
 */
export class QuoteJournal {
  private readonly db: Database;
  private readonly firstNonce: number;

  /** `now` in Unix milliseconds. */
  constructor(db: Database, now: () => number) {
    this.db = db;
    this.firstNonce = Math.floor(now() / 1000) * NONCES_PER_SECOND;
  }

  /**
   * Writes down what is about to be signed and gives each its nonce; it is synced when this returns. What the same consumer was
   * quoted for the same order before is replaced. `now` is chain time.
   */
  issue(holds: readonly QuoteHold[], now: number): bigint[] {
    return this.db.transaction(() => {
      this.db.run("DELETE FROM quotes WHERE expiry < ?", now - KEPT_SECONDS);
      const nonces = this.take(holds.length);
      for (const { consumer, orderHash } of holds) this.release(consumer, orderHash);
      for (const [index, hold] of holds.entries())
        this.db.run(
          `INSERT INTO quotes (nonce, consumer, order_hash, member_index, asker, gpus, v_cpus, memory_mib, lock, expiry, is_held)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)`,
          nonces[index] ?? null,
          hold.consumer,
          hold.orderHash,
          hold.memberIndex,
          hold.asker,
          hold.gpus,
          hold.vCpus,
          hold.memoryMiB.toString(),
          hold.lock.toString(),
          hold.expiry,
        );
      return nonces.map(BigInt);
    });
  }

  /** What is promised at `now` (chain time), and neither replaced nor released. */
  live(now: number): QuoteHold[] {
    return this.db
      .all("SELECT * FROM quotes WHERE is_held = 1 AND expiry >= ? ORDER BY nonce", now)
      .map((row) => ({
        consumer: row.consumer as Address,
        orderHash: row.order_hash as Hex,
        asker: row.asker as string,
        memberIndex: row.member_index as number,
        gpus: row.gpus as number,
        vCpus: row.v_cpus as number,
        memoryMiB: BigInt(row.memory_mib as string),
        lock: BigInt(row.lock as string),
        expiry: row.expiry as number,
      }));
  }

  /** The order was awarded, or is quoted anew: what was quoted for it holds nothing any more. */
  release(consumer: Address, orderHash: Hex): void {
    this.db.run(
      "UPDATE quotes SET is_held = 0 WHERE consumer = ? AND order_hash = ? AND is_held = 1",
      consumer,
      orderHash,
    );
  }

  /** The nonce of the next quote. */
  get nextNonce(): bigint {
    return BigInt(this.next());
  }

  /** The nonces of what is held at `now` (chain time). */
  liveNonces(now: number): bigint[] {
    return this.db
      .all("SELECT nonce FROM quotes WHERE is_held = 1 AND expiry >= ? ORDER BY nonce", now)
      .map(({ nonce }) => BigInt(nonce as number));
  }

  /** The next quote has this nonce or a higher one, and those that are void hold nothing any more (rule 8). */
  skipTo(next: bigint, voided: readonly bigint[]): void {
    this.db.transaction(() => {
      for (const nonce of voided) this.db.run("UPDATE quotes SET is_held = 0 WHERE nonce = ?", Number(nonce));
      if (next > this.nextNonce) this.remember(Number(next) - 1);
    });
  }

  private next(): number {
    const last = this.db.get("SELECT value FROM meta WHERE key = ?", LAST_NONCE)?.value;
    return Math.max(this.firstNonce, Number(last ?? 0) + 1);
  }

  private remember(last: number): void {
    this.db.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", LAST_NONCE, String(last));
  }

  private take(count: number): number[] {
    const first = this.next();
    this.remember(first + count - 1);
    return Array.from({ length: count }, (_, index) => first + index);
  }
}
