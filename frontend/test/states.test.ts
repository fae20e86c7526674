import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { leaseStates, type TaskDetail } from "@dekuper/client";
import { leaseWords, nextDeadline, rowWords, stateWords, titleOf, wordsOf } from "../features/task/states.ts";

/** A detail of leases in these states; what else it holds is not looked at. */
function aTask(...states: TaskDetail["state"][]): Pick<TaskDetail, "state" | "lease" | "leases"> {
  const leases = states.map((state, index) => ({ state, index, attestation: undefined }));
  return { state: states[0] ?? "Open", lease: leases[0], leases } as unknown as TaskDetail;
}

describe("the dApp's words", () => {
  it("say each state with its tone", () => {
    for (const state of leaseStates) assert.ok(stateWords(state).tone !== undefined, state);
  });

  it("count the leases that are so where a task has several", () => {
    assert.equal(titleOf(aTask("Running")), "Running");
    assert.equal(titleOf(aTask("Reopened", "Interrupted")), "Looking for another node, 1 of 2");
    assert.equal(wordsOf(aTask("Waiting", "Waiting")).title, "Waiting for the others to start, 2 of 2");
  });

  it("say how a lease's run ended", () => {
    const attestation = { attestation: { outcome: 1, exitCode: 3 }, signature: "0x" } as never;
    assert.equal(leaseWords({ state: "Completed", attestation }).title, "Ended with exit code 3");
    assert.equal(leaseWords({ state: "Settled", attestation }).title, "Ended with exit code 3, settled");
  });

  it("say in the list how a run ended, and its state until that is read", () => {
    const summary = aTask("Completed");
    const attestation = { attestation: { outcome: 1, exitCode: 3 }, signature: "0x" } as never;
    const ended = { ...summary, lease: { ...summary.lease, attestation } };
    assert.equal(rowWords(summary, undefined).title, "Completed");
    assert.deepEqual(
      [rowWords(summary, ended).title, rowWords(summary, ended).tone],
      ["Ended with exit code 3", "warning"],
    );
  });

  it("name the deadline that passes first", () => {
    const due = (at: bigint) => ({
      due: { what: "start", at, enforceableAt: at + 5n, enforce: "expire" } as const,
    });
    assert.deepEqual(nextDeadline([due(20n), { due: undefined }, due(10n)]), {
      label: "The node must start by",
      at: 10,
      enforceableAt: 15,
      enforce: "expire",
    });
    assert.equal(nextDeadline([{ due: undefined }]), undefined);
  });
});
