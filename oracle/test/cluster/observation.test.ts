import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptObservation } from "../../src/cluster/driver.ts";
import { cpuSecondsOf, observationOf, type WireJob, type WirePod } from "../../src/cluster/observe.ts";
import { aJob, aNamespace, anOrder, aPod, running, terminated, waiting } from "./builders.ts";

function observe(pod: WirePod | undefined, job: WireJob | undefined = aJob()): AttemptObservation {
  const found = observationOf(aNamespace(), job, pod);
  assert.ok(found !== undefined);
  return found;
}

describe("an attempt on its way", () => {
  it("is pending before there is a pod, and says why a pod waits", () => {
    assert.equal(observe(undefined).stage, "pending");
    const starting = aPod(
      { inputs: waiting("PodInitializing"), main: waiting("PodInitializing") },
      { phase: "Pending" },
    );
    assert.equal(observe(starting).stage, "pending");
    assert.equal(observe(starting).reason, undefined);
    const unscheduled = aPod(
      { inputs: undefined, main: undefined },
      { phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable" }] },
    );
    assert.equal(observe(unscheduled).reason, "Unschedulable");
    assert.equal(observe(unscheduled).scheduledAt, undefined);
  });

  it("names an image that cannot be pulled, of the task or of the helper", () => {
    const ofTask = aPod({ main: waiting("ImagePullBackOff"), helper: running }, { phase: "Pending" });
    assert.deepEqual([observe(ofTask).stage, observe(ofTask).reason], ["pending", "ImagePullBackOff"]);
    const ofHelper = aPod(
      { inputs: waiting("ErrImagePull"), main: waiting("PodInitializing") },
      { phase: "Pending" },
    );
    assert.equal(observe(ofHelper).reason, "ErrImagePull");
  });

  it("awaits inputs while the init container runs", () => {
    const pod = aPod({ inputs: running, main: waiting("PodInitializing") }, { phase: "Pending" });
    assert.equal(observe(pod).stage, "awaiting-inputs");
  });

  it("runs while main runs, with the times, the pod and the image as the runtime resolved it", () => {
    const seen = observe(aPod({ main: running, helper: running }));
    assert.equal(seen.stage, "running");
    assert.equal(seen.startedAt, Date.parse("2026-01-01T00:00:10Z") / 1000);
    assert.equal(seen.scheduledAt, Date.parse("2026-01-01T00:00:05Z") / 1000);
    assert.equal(seen.createdAt, Date.parse("2026-01-01T00:00:00Z") / 1000);
    assert.equal(seen.imageDigest, `0x${"ef".repeat(32)}`);
    assert.equal(seen.podUid, "p1");
    assert.equal(seen.exitCode, undefined);
    assert.equal(seen.finishedAt, undefined);
  });

  it("still runs when the helper was killed for its memory: only what it holds is lost, later", () => {
    const seen = observe(aPod({ main: running, helper: terminated(137, "OOMKilled") }));
    assert.equal(seen.stage, "running");
    assert.equal(seen.outOfMemory, undefined);
  });
});

describe("an attempt that ended", () => {
  it("exited by itself: code and times are there, and the output can be read", () => {
    const seen = observe(aPod({ main: terminated(0, "Completed", "dekuper/1 exited 0"), helper: running }));
    assert.equal(seen.stage, "exited");
    assert.equal(seen.exitCode, 0);
    assert.equal(seen.finishedAt, Date.parse("2026-01-01T00:00:30Z") / 1000);
    assert.equal(seen.outOfMemory, false);
    assert.equal(seen.timeLimit, false);
  });

  it("exited with 3: the task's own code", () => {
    const seen = observe(aPod({ main: terminated(3, "Error", "dekuper/1 exited 3"), helper: running }));
    assert.deepEqual([seen.stage, seen.exitCode, seen.outOfMemory], ["exited", 3, false]);
  });

  it("was killed for its memory: the platform says so, not the code", () => {
    const killed = observe(aPod({ main: terminated(137, "OOMKilled"), helper: running }));
    assert.deepEqual([killed.stage, killed.exitCode, killed.outOfMemory], ["exited", 137, true]);
    const itself = observe(aPod({ main: terminated(137, "Error", "dekuper/1 exited 137"), helper: running }));
    assert.equal(itself.outOfMemory, false, "a task that exits 137 by itself was not out of memory");
  });

  it("reached its time limit: only the wrapper's message counts", () => {
    const message = "dekuper/1 time-limit 143\n0m0.1s 0m0.1s\n0m1s 0m2.5s";
    const seen = observe(aPod({ main: terminated(143, "Error", message), helper: running }));
    assert.equal(seen.timeLimit, true);
    for (const other of ["time-limit", "", "dekuper/2 time-limit 143", "dekuper/1 stopped 143"]) {
      const pod = aPod({ main: terminated(143, "Error", other), helper: running });
      assert.equal(observe(pod).timeLimit, false, other);
    }
  });

  it("is gone with its output when the helper died before the output was taken", () => {
    const seen = observe(aPod({ main: terminated(0), helper: terminated(137, "OOMKilled") }));
    assert.deepEqual([seen.stage, seen.reason, seen.outOfMemory], ["gone", "OOMKilled", false]);
  });

  it("is gone when its pod was evicted", () => {
    const pod = aPod(
      { main: terminated(137), helper: terminated(137) },
      { phase: "Failed", reason: "Evicted" },
    );
    assert.deepEqual([observe(pod).stage, observe(pod).reason], ["gone", "Evicted"]);
    const bare = aPod({}, { phase: "Failed", reason: "Evicted", containerStatuses: undefined });
    assert.equal(observe(bare).stage, "gone");
  });

  it("is gone when its pod was deleted, once the job has seen that it had one", () => {
    assert.equal(observe(undefined, aJob({ failed: 1 })).reason, "PodDeleted");
    const failed = { conditions: [{ type: "Failed", status: "True", reason: "DeadlineExceeded" }] };
    assert.deepEqual(
      [observe(undefined, aJob(failed)).stage, observe(undefined, aJob(failed)).reason],
      ["gone", "DeadlineExceeded"],
    );
    const notYet = { conditions: [{ type: "Failed", status: "False" }] };
    assert.equal(observe(undefined, aJob(notYet)).stage, "pending");
  });

  it("is gone, and never made again, when its job was deleted", () => {
    const seen = observationOf(aNamespace(), undefined, undefined);
    assert.deepEqual([seen?.stage, seen?.reason], ["gone", "JobDeleted"]);
    assert.equal(observationOf(aNamespace({}), undefined, undefined), undefined, "its job was never made");
  });

  it("is terminating when the pod or the namespace is being deleted", () => {
    const pod = aPod({ main: running, helper: running }, undefined, {
      deletionTimestamp: "2026-01-01T00:01:00Z",
    });
    assert.equal(observe(pod).terminating, true);
    assert.equal(
      observationOf(aNamespace({ jobUid: "j1", deleted: true }), aJob(), undefined)?.terminating,
      true,
    );
    assert.equal(observe(undefined).terminating, false);
  });
});

describe("namespaces of others", () => {
  it("are not attempts, whatever their annotations claim", () => {
    const { leaseId } = anOrder();
    const claims: Record<string, string>[] = [
      {},
      { "dekuper.io/lease-id": leaseId },
      {
        "dekuper.io/chain-id": "x",
        "dekuper.io/registry": `0x${"11".repeat(20)}`,
        "dekuper.io/lease-id": leaseId,
        "dekuper.io/attempt": "1",
      },
      {
        "dekuper.io/chain-id": "1",
        "dekuper.io/registry": "0x11",
        "dekuper.io/lease-id": leaseId,
        "dekuper.io/attempt": "1",
      },
    ];
    for (const annotations of claims) {
      const namespace = { metadata: { name: "other", annotations } };
      assert.equal(observationOf(namespace as never, aJob(), undefined), undefined);
    }
  });
});

describe("CPU time", () => {
  it("is the sum of what the wrapper's `times` printed", () => {
    assert.equal(cpuSecondsOf("dekuper/1 exited 0\n0m0.25s 0m0.25s\n1m2.5s 0m3.0s"), 66);
  });

  it("is unknown from any other message", () => {
    assert.equal(cpuSecondsOf(undefined), undefined);
    assert.equal(cpuSecondsOf("1m2.5s"), undefined);
  });
});
