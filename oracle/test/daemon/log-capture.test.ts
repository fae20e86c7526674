import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { DekuperError } from "@dekuper/protocol";
import type { AttemptRef, ClusterDriver } from "../../src/cluster/driver.ts";
import { LogCapture, MAX_LOG_BYTES } from "../../src/daemon/log-capture.ts";
import { createLogStore } from "../../src/peer/log-store.ts";
import type { LogStore } from "../../src/peer/peer.ts";

let dir = "";
let leases = 0;
before(async () => {
  dir = await mkdtemp(join(tmpdir(), "dekuper-log-capture-"));
});
after(() => rm(dir, { recursive: true, force: true }));

const signal = AbortSignal.timeout(60_000);
const unreachable = new DekuperError("CLUSTER_UNREACHABLE", "The API does not answer.");

/** A container that has printed `printed` so far; `broken` ends each stream with an error. */
class Container implements Pick<ClusterDriver, "readLog"> {
  printed = Buffer.alloc(0);
  broken: Error | undefined;
  running = true;
  /** Streams give nothing and do not end. */
  silent = false;
  reads = 0;

  print(text: string | Buffer): void {
    this.printed = Buffer.concat([this.printed, Buffer.from(text)]);
  }

  async *readLog(
    _: AttemptRef,
    { follow }: { follow: boolean },
    until: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    this.reads++;
    for (let at = 0; ; ) {
      until.throwIfAborted();
      if (this.silent) await sleep(5);
      else if (at < this.printed.length) {
        const part = this.printed.subarray(at, at + 64 * 1024);
        at += part.length;
        yield part;
      } else if (this.broken !== undefined) throw this.broken;
      else if (!follow || !this.running) return;
      else await sleep(5);
    }
  }
}

function aCapture(logs: LogStore = createLogStore({ dir, maxBytes: MAX_LOG_BYTES })) {
  const ref: AttemptRef = {
    chainId: 31337,
    registry: `0x${"11".repeat(20)}`,
    leaseId: `0x${(++leases).toString(16).padStart(64, "0")}`,
    attempt: 1,
  };
  const container = new Container();
  const failures: unknown[] = [];
  const capture = new LogCapture(container, logs, (_, error) => failures.push(error), 500);
  const captured = async () => Buffer.from(await capture.captured(ref, signal)).toString();
  return { ref, container, capture, captured, logs, failures };
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await condition()); tries++) {
    assert.ok(tries < 1000, "it never came true");
    await sleep(5);
  }
}

describe("capturing a running container's log", () => {
  it("copies it as it grows", async () => {
    const { ref, container, capture, captured } = aCapture();
    assert.equal(await captured(), "");
    capture.follow(ref, signal);
    container.print("one\n");
    await until(async () => (await captured()) === "one\n");
    container.print("two\n");
    await until(async () => (await captured()) === "one\ntwo\n");
    await capture.stop();
  });

  it("reads the container once, however often it is asked to follow", async () => {
    const { ref, container, capture } = aCapture();
    for (let looks = 0; looks < 5; looks++) capture.follow(ref, signal);
    await until(() => container.reads > 0);
    assert.equal(container.reads, 1);
    await capture.stop();
  });

  it("goes on after a broken stream without writing a line twice, and says that it broke", async () => {
    const { ref, container, capture, captured, failures } = aCapture();
    container.print("one\n");
    container.broken = unreachable;
    capture.follow(ref, signal);
    await until(() => failures.length === 1);
    assert.equal(failures[0], unreachable);
    container.broken = undefined;
    container.print("two\n");
    capture.follow(ref, signal);
    await until(async () => (await captured()) === "one\ntwo\n");
    await capture.stop();
  });

  it("goes on after a restart of the daemon without writing a line twice", async () => {
    const first = aCapture();
    first.container.print("one\n");
    first.capture.follow(first.ref, signal);
    await until(async () => (await first.captured()) === "one\n");
    await first.capture.stop();
    const again = new LogCapture(first.container, createLogStore({ dir, maxBytes: MAX_LOG_BYTES }));
    first.container.print("two\n");
    again.follow(first.ref, signal);
    await until(async () => (await first.captured()) === "one\ntwo\n");
    await again.stop();
  });

  it("survives a disk that cannot even be looked at", async () => {
    const broken = new Error("EIO");
    const logs = createLogStore({ dir, maxBytes: MAX_LOG_BYTES });
    const { ref, capture, failures } = aCapture({
      ...logs,
      size: () => Promise.reject(broken),
    } as unknown as LogStore);
    capture.follow(ref, signal);
    await until(() => failures.length === 1);
    assert.deepEqual(failures, [broken]);
    await capture.stop();
  });

  it("survives a disk that takes no more", async () => {
    const full = new Error("EIO");
    const logs = {
      ...createLogStore({ dir }),
      size: async () => undefined,
      append: () => Promise.reject(full),
    };
    const { ref, container, capture, failures } = aCapture(logs as unknown as LogStore);
    container.print("one\n");
    capture.follow(ref, signal);
    await until(() => failures.length === 1);
    assert.equal(failures[0], full);
    await capture.stop();
  });
});

describe("the log of an ended run", () => {
  it("is read again as a whole, and stored as ended", async () => {
    const { ref, container, capture, logs } = aCapture();
    container.print("one\ntwo\n");
    container.running = false;
    assert.equal(Buffer.from(await capture.finish(ref, signal)).toString(), "one\ntwo\n");
    assert.deepEqual(await logs.size(ref.leaseId, 1), { bytes: 8, ended: true });
  });

  it("is what was captured where the cluster has less of it, or nothing any more", async () => {
    for (const left of ["tail\n", undefined]) {
      const { ref, container, capture, captured } = aCapture();
      container.print("one\ntwo\ntail\n");
      capture.follow(ref, signal);
      await until(async () => (await captured()) === "one\ntwo\ntail\n");
      if (left === undefined) container.broken = new DekuperError("CLUSTER_REFUSED", "There is no such pod.");
      container.printed = Buffer.from(left ?? "");
      const log = await capture.finish(ref, signal);
      assert.equal(Buffer.from(log).toString(), "one\ntwo\ntail\n");
    }
  });

  it("is what was captured where the cluster falls silent: the result has a deadline", async () => {
    const { ref, container, capture, captured } = aCapture();
    container.print("one\n");
    capture.follow(ref, signal);
    await until(async () => (await captured()) === "one\n");
    container.silent = true;
    assert.equal(Buffer.from(await capture.finish(ref, signal)).toString(), "one\n");
  });

  it("is empty, and ended, where nothing ever ran", async () => {
    const { ref, container, capture, logs } = aCapture();
    container.broken = new DekuperError("CLUSTER_REFUSED", "There is no such pod.");
    assert.equal((await capture.finish(ref, signal)).length, 0);
    assert.deepEqual(await logs.size(ref.leaseId, 1), { bytes: 0, ended: true });
  });

  it("is the same when it is asked for twice: what was attested stands", async () => {
    const { ref, container, capture } = aCapture();
    container.print("one\n");
    const first = await capture.finish(ref, signal);
    assert.deepEqual(Buffer.from(await capture.finish(ref, signal)), Buffer.from(first));
  });

  it("has at most 16 MiB; a task that prints more loses the rest and nothing else", async () => {
    const { ref, container, capture, captured, logs } = aCapture();
    container.print(Buffer.alloc(MAX_LOG_BYTES + 100_000, "line of log\n"));
    capture.follow(ref, signal);
    await until(async () => (await captured()).length === MAX_LOG_BYTES);
    const log = await capture.finish(ref, signal);
    assert.equal(log.length, MAX_LOG_BYTES);
    assert.ok(((await logs.size(ref.leaseId, 1))?.bytes ?? 0) <= MAX_LOG_BYTES + 200);
    await capture.stop();
  });
});
