import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { Database } from "../../src/journal/database.ts";

/** A database in a folder of its own, gone after the test. */
export function openDatabase(t: TestContext): { db: Database; dir: string } {
  return openIn(t, mkdtempSync(join(tmpdir(), "dekuper-journal-")));
}

/** What a process finds that starts after this one was killed now: the files as they lie there, nothing closed or flushed. */
export function reopenAfterCrash(t: TestContext, dir: string): { db: Database; dir: string } {
  const copy = mkdtempSync(join(tmpdir(), "dekuper-journal-"));
  cpSync(dir, copy, { recursive: true });
  return openIn(t, copy);
}

function openIn(t: TestContext, dir: string): { db: Database; dir: string } {
  let db: Database | undefined;
  t.after(() => {
    db?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  db = new Database(dir);
  return { db, dir };
}
