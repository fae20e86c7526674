import { DatabaseSync } from "node:sqlite";

/** A complete blob. Times in Unix seconds; `retainUntil` is null while nobody retains it. */
export interface BlobRow {
  readonly name: string;
  readonly size: number;
  readonly owner: string;
  readonly created: number;
  readonly retainUntil: number | null;
}

/** What an owner has put that nobody retains yet, unfinished puts by their declared size. */
export interface Usage {
  readonly bytes: number;
  readonly blobs: number;
}

const schema = `
  PRAGMA journal_mode = WAL;
  CREATE TABLE IF NOT EXISTS blobs (
    name TEXT PRIMARY KEY, size INTEGER NOT NULL, owner TEXT NOT NULL, created INTEGER NOT NULL, retainUntil INTEGER
  ) STRICT;
  CREATE TABLE IF NOT EXISTS partials (
    name TEXT NOT NULL, owner TEXT NOT NULL, file TEXT NOT NULL UNIQUE, size INTEGER NOT NULL, touched INTEGER NOT NULL,
    PRIMARY KEY (name, owner)
  ) STRICT;
`;

/** Names, owners and expiry of the blob store's files. The files are the truth: the store reconciles the index at start. */
export class BlobIndex {
  private readonly db: DatabaseSync;

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec(schema);
  }

  close(): void {
    this.db.close();
  }

  find(name: string): BlobRow | undefined {
    return this.db.prepare("SELECT * FROM blobs WHERE name = ?").get(name) as unknown as BlobRow | undefined;
  }

  names(): string[] {
    return this.db
      .prepare("SELECT name FROM blobs")
      .all()
      .map((row) => String(row.name));
  }

  insert(row: Omit<BlobRow, "retainUntil">): void {
    this.db
      .prepare("INSERT INTO blobs VALUES (?, ?, ?, ?, NULL) ON CONFLICT (name) DO NOTHING")
      .run(row.name, row.size, row.owner, row.created);
    this.db.prepare("DELETE FROM partials WHERE name = ? AND owner = ?").run(row.name, row.owner);
  }

  retain(name: string, until: number): void {
    this.db
      .prepare("UPDATE blobs SET retainUntil = max(coalesce(retainUntil, 0), ?) WHERE name = ?")
      .run(until, name);
  }

  /** Counts a blob as new. */
  touch(name: string, created: number): void {
    this.db.prepare("UPDATE blobs SET created = max(created, ?) WHERE name = ?").run(created, name);
  }

  delete(name: string): void {
    this.db.prepare("DELETE FROM blobs WHERE name = ?").run(name);
  }

  /** Blobs that nobody retains at `now` and that are older than `unretained` seconds. */
  expired(now: number, unretained: number): string[] {
    return this.db
      .prepare("SELECT name FROM blobs WHERE coalesce(retainUntil, 0) < ? AND created < ?")
      .all(now, now - unretained)
      .map((row) => String(row.name));
  }

  setPartial(row: { name: string; owner: string; file: string; size: number; touched: number }): void {
    this.db
      .prepare(
        `INSERT INTO partials VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (name, owner) DO UPDATE SET size = excluded.size, touched = excluded.touched`,
      )
      .run(row.name, row.owner, row.file, row.size, row.touched);
  }

  deletePartial(file: string): void {
    this.db.prepare("DELETE FROM partials WHERE file = ?").run(file);
  }

  partialFiles(filter: { name?: string; before?: number } = {}): string[] {
    return this.db
      .prepare("SELECT file FROM partials WHERE (? IS NULL OR name = ?) AND touched < ?")
      .all(filter.name ?? null, filter.name ?? null, filter.before ?? Number.MAX_SAFE_INTEGER)
      .map((row) => String(row.file));
  }

  /** Without an owner, of all. One's own partial of `except` does not count: it is about to be replaced. */
  usage(owner: string | undefined, except: { name: string; owner: string }): Usage {
    const row = this.db
      .prepare(
        `SELECT coalesce(sum(size), 0) AS bytes, count(*) AS blobs FROM (
           SELECT size FROM blobs WHERE retainUntil IS NULL AND owner <> 'self' AND (?1 IS NULL OR owner = ?1)
           UNION ALL
           SELECT size FROM partials WHERE (?1 IS NULL OR owner = ?1) AND NOT (name = ?2 AND owner = ?3))`,
      )
      .get(owner ?? null, except.name, except.owner);
    return { bytes: Number(row?.bytes), blobs: Number(row?.blobs) };
  }
}
