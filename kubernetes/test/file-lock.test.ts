import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { KubernetesError } from "../src/errors.ts";
import { acquireLock, lockHolder, parseHolder } from "../src/file-lock.ts";
import { identify, isAlive, startTicksOf, stateOf } from "../src/processes.ts";

const folder = mkdtempSync(join(tmpdir(), "dkp-lock-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const self = identify(process.pid);
assert.ok(self);

describe("a process's identity", () => {
  it("is read past a command's name with spaces and brackets", () => {
    const fields = Array.from({ length: 49 }, (_, index) => String(index + 4));
    const stat = `42 (a) b (c) S ${fields.join(" ")}`;
    assert.equal(stateOf(stat), "S");
    assert.equal(startTicksOf(stat), "22");
  });

  it("differs from that of a later process with the same pid", () => {
    assert.equal(isAlive(self), true);
    assert.equal(isAlive({ ...self, startTicks: "1" }), false);
    assert.equal(isAlive({ ...self, bootId: "another boot" }), false);
  });
});

describe("the lock", () => {
  it("is held by one at a time and free again after release", async () => {
    const path = join(folder, "one");
    const lock = await acquireLock(path);
    assert.equal(lockHolder(path)?.pid, process.pid);
    const isHeld = (error: unknown) => error instanceof KubernetesError && error.code === "LOCK_HELD";
    await assert.rejects(acquireLock(path), isHeld);
    lock.release();
    assert.equal(lockHolder(path), undefined);
    (await acquireLock(path)).release();
  });

  it("is waited for, and the waiter is told for whom", async () => {
    const path = join(folder, "waited");
    const first = await acquireLock(path);
    let holder: number | undefined;
    setTimeout(() => first.release(), 120);
    const second = await acquireLock(path, { waitMs: 5000, onWait: ({ pid }) => (holder = pid) });
    assert.equal(holder, process.pid);
    second.release();
  });

  for (const [what, content] of [
    ["of a pid that another process has now", JSON.stringify({ ...self, startTicks: "7" })],
    ["of an earlier boot", JSON.stringify({ ...self, bootId: "0" })],
    ["that was never written whole", '{"pid":'],
  ] as const) {
    it(`takes over a lock ${what}`, async () => {
      const path = join(folder, "stale");
      writeFileSync(path, content);
      assert.equal(lockHolder(path), undefined);
      const lock = await acquireLock(path);
      lock.release();
      assert.equal(existsSync(path), false);
    });
  }

  it("goes to exactly one of many who find it stale at once", async () => {
    const path = join(folder, "contended");
    writeFileSync(path, JSON.stringify({ ...self, startTicks: "7" }));
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(path)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  });

  it("leaves no drafts", () => {
    assert.deepEqual(
      readdirSync(folder).filter((name) => name !== "contended"),
      [],
    );
  });

  it("reads nobody out of a foreign file", () => {
    assert.equal(parseHolder("null"), undefined);
    assert.equal(parseHolder('{"pid":"1"}'), undefined);
  });
});
