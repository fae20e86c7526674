import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Database, isDiskFull } from "../../src/journal/database.ts";
import { FactStore } from "../../src/journal/facts.ts";
import { fromJson, toJson } from "../../src/journal/json.ts";
import { migrations } from "../../src/journal/schema.ts";
import { openDatabase, reopenAfterCrash } from "./crash.ts";

describe("the state folder's database", () => {
  it("is brought to the newest schema once, and keeps what it holds", (t) => {
    const { db, dir } = openDatabase(t);
    assert.equal(db.get("PRAGMA user_version")?.user_version, migrations.length);
    new FactStore(db).setMeta("deploymentBlockHash", "0xabc");
    const reopened = reopenAfterCrash(t, dir).db;
    assert.equal(reopened.get("PRAGMA user_version")?.user_version, migrations.length);
    assert.equal(new FactStore(reopened).meta("deploymentBlockHash"), "0xabc");
  });

  it("is not opened where a newer oracle has written it", (t) => {
    const { db, dir } = openDatabase(t);
    db.run(`PRAGMA user_version = ${migrations.length + 1}`);
    assert.throws(() => new Database(dir), { code: "INTERNAL" });
    assert.throws(() => reopenAfterCrash(t, dir), /newer version/);
  });

  it("says which chain it belongs to, whatever a reorg takes back", (t) => {
    const store = new FactStore(openDatabase(t).db);
    assert.equal(store.meta("deploymentBlockHash"), undefined);
    store.setMeta("deploymentBlockHash", "0xabc");
    store.record([], { number: 5, hash: "0x05" });
    store.rewind(0);
    assert.equal(store.meta("deploymentBlockHash"), "0xabc");
    assert.equal(store.cursor(), undefined);
  });

  it("does all of a transaction or nothing, and goes on after a failed one", (t) => {
    const { db } = openDatabase(t);
    const put = (key: string) => db.run("INSERT INTO meta (key, value) VALUES (?, 'x')", key);
    assert.throws(
      () =>
        db.transaction(() => {
          put("a");
          put("a");
        }),
      /UNIQUE/,
    );
    assert.equal(db.get("SELECT count(*) AS count FROM meta")?.count, 0);
    db.transaction(() => put("a"));
    assert.equal(db.get("SELECT count(*) AS count FROM meta")?.count, 1);
  });

  it("loses nothing that was written when the process is killed, and shows nothing of a transaction that was not ended", async (t) => {
    const { db, dir } = openDatabase(t);
    db.close();
    const module = join(import.meta.dirname, "../../src/journal/database.ts");
    const script = `
      const { Database } = await import(${JSON.stringify(module)});
      const db = new Database(${JSON.stringify(dir)});
      db.run("INSERT INTO meta VALUES ('written', 'x')");
      db.transaction(() => {
        db.run("INSERT INTO meta VALUES ('half', 'x')");
        process.kill(process.pid, "SIGKILL");
      });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: "ignore" });
    const [, signal] = await once(child, "exit");
    assert.equal(signal, "SIGKILL");
    const { db: reopened } = reopenAfterCrash(t, dir);
    assert.deepEqual(
      reopened.all("SELECT key FROM meta").map(({ key }) => key),
      ["written"],
    );
  });

  it("calls a full disk by its name", (t) => {
    const { db } = openDatabase(t);
    db.run(`PRAGMA max_page_count = ${Number(db.get("PRAGMA page_count")?.page_count)}`);
    const fill = () => db.run("INSERT INTO meta VALUES (?, ?)", "big", "x".repeat(100_000));
    assert.throws(fill, { code: "DISK_FULL" });
    assert.throws(() => db.transaction(fill), { code: "DISK_FULL" });
    assert.equal(db.get("SELECT count(*) AS count FROM meta")?.count, 0);
    assert.ok(isDiskFull(Object.assign(new Error("no space"), { code: "ENOSPC" })));
    assert.ok(!isDiskFull(new Error("no space")));
  });
});

it("keeps JSON as it was, whole numbers of any size included", () => {
  const key = fc.string().filter((text) => text !== "__proto__" && text !== "$bigint");
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.integer(),
      fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
    ),
  }));
  fc.assert(fc.property(value, (any) => assert.deepEqual(fromJson(toJson(any)), any)));
});
