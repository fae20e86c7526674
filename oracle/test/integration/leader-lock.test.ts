import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { isDekuperError } from "@dekuper/protocol";
import { ApiProxy } from "./api-proxy.ts";
import { anInstance, leaseOf, renewedAt, writeLock } from "./leader-locks.ts";
import { openDriver, soon } from "./leases.ts";

describe("the leader lock", { concurrency: true }, () => {
  it("is refused to a second instance, which is told who holds it, and given once the first lets go", async () => {
    const [first, second] = [await openDriver(), await openDriver()];
    const holder = anInstance();
    const other = anInstance(holder.node);
    const lock = await first.acquireLeaderLock(holder, soon());
    await assert.rejects(second.acquireLeaderLock(other, soon()), (error: unknown) => {
      assert.ok(isDekuperError(error, "LEADER_LOCK_HELD"));
      assert.equal(error.details.holder, holder.instanceId);
      return true;
    });
    assert.equal((await leaseOf(holder)).spec?.holderIdentity, holder.instanceId);
    await lock.release();
    const end = Date.now() + 10_000;
    for (;;) {
      const taken = await second.acquireLeaderLock(other, soon()).catch(() => undefined);
      if (taken !== undefined) break;
      assert.ok(Date.now() < end, "a lock that was let go is free soon after");
    }
    assert.equal((await leaseOf(holder)).spec?.holderIdentity, other.instanceId);
  });

  it("is taken back at once by the instance that was killed with it", async () => {
    const instance = anInstance();
    await (await openDriver()).acquireLeaderLock(instance, soon());
    const lock = await (await openDriver()).acquireLeaderLock(instance, soon());
    assert.equal(lock.lost.aborted, false);
  });

  it("is taken from a holder that has not renewed it for its time, and not before", async () => {
    const driver = await openDriver();
    const dead = anInstance();
    const heir = anInstance(dead.node);
    await writeLock(dead, 20);
    await assert.rejects(driver.acquireLeaderLock(heir, soon()), { code: "LEADER_LOCK_HELD" });
    await writeLock(dead, 31);
    await driver.acquireLeaderLock(heir, soon());
    assert.equal((await leaseOf(dead)).spec?.holderIdentity, heir.instanceId);
  });

  it("is lost once another instance holds it, and renewed as long as none does", async () => {
    const driver = await openDriver();
    const [kept, robbed] = [anInstance(), anInstance()];
    const [held, lost] = await Promise.all([
      driver.acquireLeaderLock(kept, soon()),
      driver.acquireLeaderLock(robbed, soon()),
    ]);
    const before = await renewedAt(kept);
    await writeLock(anInstance(robbed.node), 0);
    await once(lost.lost, "abort", { signal: soon() });
    assert.ok(isDekuperError(lost.lost.reason, "LEADER_LOCK_HELD"));
    while ((await renewedAt(kept)) <= before) assert.equal(held.lost.aborted, false);
    await held.release();
  });

  it("is not lost to a write of its own that arrives twice", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig });
    const instance = anInstance();
    await driver.acquireLeaderLock(instance, soon());
    await sleep(1_100); // the lock is dated in whole seconds
    let again = 0;
    proxy.decide = ({ method, path }) => {
      if (method !== "PUT" || !path.includes("/leases/")) return "pass";
      again += 1;
      return again === 1 ? "twice" : "pass";
    };
    const lock = await driver.acquireLeaderLock(instance, soon());
    assert.equal(again, 2);
    assert.equal(lock.lost.aborted, false);
  });
});
