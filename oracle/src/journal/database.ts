import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync, type SQLInputValue } from "node:sqlite";
import { DekuperError } from "@dekuper/protocol";
import { migrations } from "./schema.ts";

export type Row = Record<string, unknown>;

/**
 * The oracle's one SQLite file: facts of the chain with their cursor, and the journal. WAL with `synchronous=FULL`, so
 * that what a method has written survives the power going off right after it.
 */
export class Database {
  private readonly db: DatabaseSync;

  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.db = new DatabaseSync(join(stateDir, "oracle.sqlite"));
    try {
      this.db.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;",
      );
      // Without it a REPLACE would slip past the triggers that keep attestations.
      this.db.exec("PRAGMA recursive_triggers = ON;");
      this.migrate();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  run(sql: string, ...values: SQLInputValue[]): number {
    return this.guard(() => Number(this.db.prepare(sql).run(...values).changes));
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.guard(() => this.db.prepare(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.guard(() => this.db.prepare(sql).all(...values) as Row[]);
  }

  /** All of it or nothing. */
  transaction<T>(work: () => T): T {
    return this.guard(() => {
      this.db.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        this.db.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.db.isTransaction) this.db.exec("ROLLBACK");
        throw error;
      }
    });
  }

  close(): void {
    if (this.db.isOpen) this.db.close();
  }

  private migrate(): void {
    const { user_version: version } = this.get("PRAGMA user_version") as { user_version: number };
    if (version > migrations.length)
      throw new DekuperError("INTERNAL", "The state folder was written by a newer version of the oracle.", {
        details: { version, known: migrations.length },
      });
    for (const [index, sql] of migrations.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.db.exec(sql);
        this.db.exec(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }

  private guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw isDiskFull(error)
        ? new DekuperError("DISK_FULL", "The state folder's disk is full.", { cause: error })
        : error;
    }
  }
}

/** SQLite's `SQLITE_FULL` (13), or the system's own words for it. */
export function isDiskFull(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ENOSPC" || code === "EDQUOT" || code === "DISK_FULL" || errcode === 13;
}
