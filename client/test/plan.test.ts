import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { planTask, requirePlan, type UnfitReason } from "@dekuper/client";
import { isDekuperError, reservation } from "@dekuper/protocol";
import fc from "fast-check";
import { address, aNode, anOrder, facts } from "./builders.ts";

function reasonsOf(plan: ReturnType<typeof planTask>): UnfitReason[] {
  return plan.nodes.flatMap((node) => node.reasons.map(({ reason }) => reason));
}

describe("planTask", () => {
  it("takes the lowest posted rate among the nodes that fit", () => {
    const cheap = aNode({ address: address(2), profile: { posted: { perGpuHour: 1_000_000n } } });
    const plan = planTask(anOrder(), [aNode(), cheap], facts());
    assert.equal(plan.ratePerHour, 1_000_000n + 2n * 100_000n);
    assert.equal(plan.atMost, 1_200_000n);
    assert.deepEqual(plan.fitting, [cheap.address]);
    assert.deepEqual(reasonsOf(plan), ["rate"]);
  });

  it("ignores the rate of a cheaper node that cannot run the task", () => {
    const small = aNode({
      address: address(2),
      available: { gpus: 0 },
      profile: { posted: { perGpuHour: 1n, perVCpuHour: 1n } },
    });
    const plan = planTask(anOrder(), [aNode(), small], facts());
    assert.equal(plan.ratePerHour, 2_200_000n);
    assert.deepEqual(plan.fitting, [address(1)]);
  });

  it("keeps a rate that the task file gives, and names the nodes that ask more", () => {
    const plan = planTask(anOrder({ rate: 1_000_000n }), [aNode()], facts());
    assert.deepEqual(plan.nodes[0]?.reasons, [
      { reason: "rate", needs: "at most 1 USDC/h", has: "asks 2.2 USDC/h" },
    ]);
    assert.ok(isDekuperError(plan.problem, "NO_NODE_FITS"));
  });

  it("never goes below a node's floor", () => {
    const plan = planTask(anOrder(), [aNode({ floor: { perGpuHour: 5_000_000n } })], facts());
    assert.equal(plan.ratePerHour, 5_000_000n);
  });

  it("orders at one base unit where nodes ask nothing: the chain refuses a rate of zero", () => {
    const free = aNode({ profile: { posted: { perGpuHour: 0n, perVCpuHour: 0n } } });
    assert.equal(planTask(anOrder(), [free], facts()).ratePerHour, 1n);
  });

  it("needs as many owners as a quorum has replicas: nodes of one owner would agree with themselves", () => {
    const quorum = anOrder({ leases: 3, threshold: 2 });
    const [one, twin, two] = [
      aNode(),
      aNode({ address: address(2) }),
      aNode({ address: address(3), owner: address(103) }),
    ];
    const few = planTask(quorum, [one, twin, two], facts());
    assert.ok(isDekuperError(few.problem, "NO_NODE_FITS"));
    assert.equal(few.problem.details.room, 2);
    const three = aNode({
      address: address(4),
      owner: address(104),
      profile: { posted: { perGpuHour: 3_000_000n } },
    });
    const enough = planTask(quorum, [one, twin, two, three], facts());
    assert.equal(enough.problem, undefined);
    assert.equal(enough.ratePerHour, 3_200_000n, "what the third owner asks");
    assert.equal(enough.atMost, 3n * 3_200_000n);
    assert.deepEqual(enough.nodes.map(({ takes }) => takes).sort(), [0, 1, 1, 1]);
  });

  const cases: [UnfitReason, Parameters<typeof aNode>[0], Parameters<typeof anOrder>[0]?][] = [
    ["status", { status: "Draining" }],
    ["gpus", { available: { gpus: 0 } }],
    ["gpu-model", {}, { gpuModel: "NVIDIA-A100" }],
    ["cpu", { available: { vCpus: 1 } }],
    ["memory", { available: { memoryMiB: 512n } }],
    ["storage", { profile: { storageMiB: 1024n } }],
    ["isolation", { profile: { isolation: "container" } }, { isolation: "sandbox" }],
    ["stake", { stake: { staked: 1n } }],
    ["stake", { stake: { locked: 995_000_000n } }],
    ["ticket-age", { activeSince: 999_990n }],
  ];
  for (const [reason, node, order] of cases) {
    it(`says why a node does not fit: ${reason} (${JSON.stringify(node, (_, v) => (typeof v === "bigint" ? `${v}` : v))})`, () => {
      const plan = planTask(
        anOrder(order),
        [aNode(node)],
        facts({ terms: { ...facts().terms, ticketAge: 60 } }),
      );
      assert.deepEqual(reasonsOf(plan), [reason]);
      assert.deepEqual(plan.fitting, []);
      assert.match(plan.problem?.message ?? "", new RegExp(`None of 1 node fits: ${reason} \\(1\\)`));
    });
  }

  it("says how much of what is missing", () => {
    const plan = planTask(anOrder({ gpus: 9 }), [aNode({ available: { gpus: 3 } })], facts());
    assert.deepEqual(plan.nodes[0]?.reasons, [{ reason: "gpus", needs: "9 GPUs", has: "3 free of 8" }]);
  });

  it("leaves out nodes without a fresh heartbeat, once somebody has listened", () => {
    const other = aNode({ address: address(2) });
    const presence = new Map([
      [address(1), { receivedAt: 100_000 }],
      [address(2), { receivedAt: 80_000 }],
    ]);
    const plan = planTask(anOrder(), [aNode(), other], facts({ presence, nowMs: 100_000 }));
    assert.deepEqual(plan.fitting, [address(1)]);
    assert.deepEqual(reasonsOf(plan), ["offline"]);
    assert.deepEqual(
      planTask(anOrder(), [aNode(), other], facts()).nodes.map((node) => node.online),
      [undefined, undefined],
    );
  });

  it("refuses a task that may cost more than its budget", () => {
    const plan = planTask(anOrder({ budget: 2_000_000n }), [aNode()], facts());
    assert.ok(isDekuperError(plan.problem, "BUDGET_EXCEEDED"));
    assert.match(plan.problem.message, /may cost 2\.2 USDC; its budget is 2 USDC/);
    assert.throws(() => requirePlan(plan), { code: "BUDGET_EXCEEDED" });
  });

  it("says so when the map is empty", () => {
    const plan = planTask(anOrder(), [], facts());
    assert.equal(plan.problem?.message, "No node is registered.");
    assert.equal(plan.ratePerHour, undefined);
  });

  it("holds for any order and nodes: the cost is the reservation, and every fitting node asks no more than the rate", () => {
    const amount = fc.bigInt({ min: 0n, max: 10n ** 12n });
    const someNode = fc.record({
      gpus: fc.integer({ min: 0, max: 8 }),
      vCpus: fc.integer({ min: 0, max: 16 }),
      perGpuHour: amount,
      perVCpuHour: amount,
      staked: amount,
      locked: amount,
    });
    fc.assert(
      fc.property(
        fc.array(someNode, { maxLength: 6 }),
        fc.integer({ min: 0, max: 8 }),
        fc.integer({ min: 1, max: 16 }),
        fc.integer({ min: 1, max: 30 * 86_400 }),
        fc.option(amount, { nil: undefined }),
        (some, gpus, vCpus, maxDuration, rate) => {
          const nodes = some.map((node, index) =>
            aNode({
              address: address(index + 1),
              available: { gpus: node.gpus, vCpus: node.vCpus },
              profile: { posted: { perGpuHour: node.perGpuHour, perVCpuHour: node.perVCpuHour } },
              stake: { staked: node.staked, locked: node.locked > node.staked ? node.staked : node.locked },
            }),
          );
          const plan = planTask(anOrder({ gpus, vCpus, maxDuration, rate }), nodes, facts());
          assert.equal(plan.nodes.length, nodes.length);
          assert.equal(plan.fitting.length > 0, plan.problem === undefined);
          for (const node of plan.nodes) assert.equal(node.fits, node.reasons.length === 0);
          if (plan.ratePerHour === undefined) return;
          assert.equal(plan.atMost, reservation(plan.ratePerHour, maxDuration));
          for (const node of plan.nodes.filter(({ fits }) => fits)) {
            assert.ok(node.asks <= plan.ratePerHour);
            const found = nodes.find(({ address: at }) => at === node.node);
            assert.ok(found !== undefined && found.available.gpus >= gpus && found.available.vCpus >= vCpus);
            assert.ok(found.stake.staked - found.stake.locked >= (plan.lock ?? 0n));
          }
        },
      ),
    );
  });
});

describe("planTask for several nodes", () => {
  const gang = (leases: number) => anOrder({ gpus: 4, leases });

  it("counts how many leases each node has room for, and takes as many nodes as it needs", () => {
    const plan = planTask(
      gang(3),
      [
        aNode(),
        aNode({ address: address(2), profile: { posted: { perGpuHour: 3_000_000n, perVCpuHour: 0n } } }),
      ],
      facts(),
    );
    assert.equal(plan.problem, undefined);
    assert.deepEqual(
      plan.nodes.map(({ takes }) => takes),
      [2, 2],
    );
    assert.equal(plan.ratePerHour, 12_000_000n);
    assert.equal(plan.atMost, 36_000_000n);
  });

  it("says how much room there is where it is too little", () => {
    const { problem } = planTask(gang(3), [aNode()], facts());
    assert.equal(problem?.code, "NO_NODE_FITS");
    assert.match(problem?.message ?? "", /needs 3 nodes; 1 node fits, and has room for 2 of them/);
  });

  it("reserves only for what is funded at first", () => {
    const plan = planTask(anOrder({ leases: 2, fundedSeconds: 1800 }), [aNode()], facts());
    assert.equal(plan.reserved, (plan.atMost ?? 0n) / 2n);
  });
});
