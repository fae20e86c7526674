import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createLogStore } from "../../src/peer/log-store.ts";
import { leaseIdOf } from "./market.ts";

const DAY = 86_400;

describe("old logs", () => {
  it("go 60 days after the last that was written to them: a disk must not fill with what nobody may claim", async (t) => {
    const dir = await mkdtemp(join(tmpdir(), "dekuper-log-sweep-"));
    t.after(() => rm(dir, { recursive: true, force: true }));
    const logs = createLogStore({ dir });
    const now = Math.floor(Date.now() / 1000);
    const [old, ended, fresh] = [leaseIdOf(1), leaseIdOf(2), leaseIdOf(3)];
    for (const lease of [old, ended, fresh]) await logs.append(lease, 1, Buffer.from("line"));
    await logs.end(ended, 1);
    const age = (lease: string, file: string, days: number) =>
      utimes(join(dir, lease.slice(2), file), now - days * DAY, now - days * DAY);
    await age(old, "1.log", 61);
    await age(ended, "1.log", 90);
    await age(ended, "1.log.ended", 59);
    assert.equal(await logs.sweep(now), 1);
    assert.equal(await logs.size(old, 1), undefined);
    assert.equal((await logs.size(ended, 1))?.ended, true);
    assert.equal(await logs.sweep(now + 2 * DAY), 1);
    assert.deepEqual(await readdir(dir), [fresh.slice(2)]);
  });

  it("are none in a folder that does not exist yet", async () => {
    assert.equal(await createLogStore({ dir: "/nonexistent/logs" }).sweep(1), 0);
  });
});
