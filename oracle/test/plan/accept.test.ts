import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AcceptFacts, type OpenTaskFacts, planAccept } from "../../src/plan/accept.ts";
import { isImageAllowed } from "../../src/plan/fit.ts";
import { anAccepter, anOpenTask, anOrder, aSpec, T0 } from "./builders.ts";

const CLOSES = T0 + 3601;
const plan = (open: Partial<OpenTaskFacts>, node: Partial<AcceptFacts>, now: number) =>
  planAccept(anOpenTask(open), anAccepter(node), now);

function waits(
  reason: string,
  open: Partial<OpenTaskFacts>,
  node: Partial<AcceptFacts> = {},
  lookAgainAt = CLOSES,
): void {
  assert.deepEqual(plan(open, node, T0 + 5), { kind: "wait", reason, lookAgainAt });
}

function refuses(reason: string, open: Partial<OpenTaskFacts>, node: Partial<AcceptFacts> = {}): void {
  assert.deepEqual(plan(open, node, T0 + 5), { kind: "refuse", reason });
}

const ready = (spec = aSpec()) => ({ material: { kind: "ready", spec } as const });

describe("an open order", () => {
  it("is accepted where everything fits", () => assert.deepEqual(plan({}, {}, T0 + 5), { kind: "accept" }));

  it("is refused once it has closed, and not a second earlier", () => {
    assert.deepEqual(plan({}, {}, T0 + 3600), { kind: "accept" });
    assert.deepEqual(plan({}, {}, CLOSES), { kind: "refuse", reason: "closed" });
  });

  it("is refused where it can never run here", () => {
    refuses("verification-unsupported", { order: anOrder({ verification: 1 }) });
    refuses("isolation-too-weak", { order: anOrder({ isolation: 2 }) });
    refuses("other-gpu-model", {
      order: anOrder({ gpus: 1, gpuModel: "NVIDIA-A100", ratePerHour: 9_000_000n }),
    });
    refuses("storage-too-small", { order: anOrder({ storageMiB: 102_401n }) });
    refuses("ticket-never-admitted", { admittedAt: undefined });
  });

  it("must pay what the node posts, and the owner's floor where that is higher", () => {
    refuses("rate-below-posted", { order: anOrder({ ratePerHour: 1_999_999n }) });
    refuses("rate-below-floor", {}, { floor: { perGpuHour: 0n, perVCpuHour: 1_000_001n } });
    const gpus = anOrder({ gpus: 4, ratePerHour: 10_000_000n });
    assert.deepEqual(plan({ order: gpus }, {}, T0 + 5), { kind: "accept" });
    refuses("rate-below-posted", { order: { ...gpus, ratePerHour: 9_999_999n } });
  });

  it("waits until its ticket is admitted", () => {
    waits("ticket-not-admitted-yet", { admittedAt: T0 + 40 }, {}, T0 + 40);
    waits("ticket-not-admitted-yet", { admittedAt: T0 + 4_000 });
    assert.deepEqual(plan({ admittedAt: T0 + 40 }, {}, T0 + 40), { kind: "accept" });
  });

  it("is not touched before it is confirmed: nothing is fetched for what a reorg may take back", () =>
    waits("confirmations", { isConfirmed: false, material: { kind: "unknown" } }));

  it("has its material fetched before its ticket is admitted, and only where the rest fits", () => {
    assert.deepEqual(plan({ material: { kind: "unknown" }, admittedAt: T0 + 40 }, {}, T0 + 5), {
      kind: "fetch",
    });
    refuses("storage-too-small", { order: anOrder({ storageMiB: 102_401n }), material: { kind: "unknown" } });
    waits("lease-limit", { material: { kind: "unknown" } }, { liveLeases: 4 });
    waits("spec-not-found", { material: { kind: "missing", what: "spec", retryAt: T0 + 30 } }, {}, T0 + 30);
    refuses("digest-mismatch", { material: { kind: "invalid", reason: "digest-mismatch" } });
  });
});

describe("the image of an order", () => {
  const image = (host: string) => `${host}/busybox@sha256:${"ab".repeat(32)}`;

  it("comes from a host on the node's list; localhost only on the local network", () => {
    const onList = { imageHosts: ["registry.example"], isLocalNetwork: false };
    assert.ok(isImageAllowed(image("registry.example"), onList));
    assert.ok(!isImageAllowed(image("localhost"), onList));
    assert.ok(isImageAllowed(image("localhost"), { ...onList, isLocalNetwork: true }));
    assert.ok(!isImageAllowed(image("evil.example"), { ...onList, isLocalNetwork: true }));
    assert.ok(!isImageAllowed(image("registry.example.evil.example"), onList));
    refuses("image-host-not-allowed", ready(aSpec({ image: image("evil.example") })));
  });

  it("is waited for where its registry cannot be asked", () =>
    waits(
      "image-not-checked",
      { material: { kind: "missing", what: "image-answer", retryAt: T0 + 30 } },
      {},
      T0 + 30,
    ));

  it("must be there", () =>
    refuses("image-not-found", {
      material: { kind: "ready", spec: aSpec(), imageProblem: "image-not-found" },
    }));
});

it("refuses inputs that are together larger than the node takes", () => {
  const input = (size: number) => ({ path: `in/${size}`, digest: `0x${"00".repeat(32)}` as const, size });
  refuses("inputs-too-large", ready(aSpec({ inputs: [input(600_000), input(400_001)] })));
  assert.deepEqual(plan(ready(aSpec({ inputs: [input(600_000), input(400_000)] })), {}, T0 + 5), {
    kind: "accept",
  });
});

const blockers: readonly (readonly [string, Partial<AcceptFacts>])[] = [
  ["chain-unreadable", { evidence: "unreadable" }],
  ["stopping", { isStopping: true }],
  ["read-only", { mayAct: false }],
  ["signing-stopped", { maySign: false }],
  ["leader-lock", { holdsLeaderLock: false }],
  ["disk-full", { diskFull: true }],
  ["cluster-unreachable", { clusterReachable: false }],
  ["not-registered", { status: undefined }],
  ["not-active", { status: "Draining" }],
  ["lease-limit", { liveLeases: 4 }],
  ["no-free-capacity", { available: { gpus: 0, vCpus: 1, memoryMiB: 65_536n } }],
  ["no-free-capacity", { available: { gpus: 0, vCpus: 2, memoryMiB: 1023n } }],
  ["stake-too-low", { hasStake: false }],
  ["gas-reserve", { hasGasReserve: false }],
];

describe("a node", () => {
  for (const [reason, node] of blockers)
    it(`takes nothing while: ${reason} ${JSON.stringify(node, (_, value) => (typeof value === "bigint" ? `${value}` : value))}`, () => {
      waits(reason, {}, node);
      waits(reason, { material: { kind: "unknown" } }, node);
    });

  it("takes and fetches nothing with any of those, whatever else holds", () => {
    const some = fc.subarray([...blockers], { minLength: 1 });
    const material = fc.constantFrom<OpenTaskFacts["material"]>({ kind: "unknown" }, ready().material);
    fc.assert(
      fc.property(some, material, fc.integer({ min: T0 - 10, max: T0 + 4_000 }), (chosen, known, now) => {
        const node = Object.assign({}, ...chosen.map(([, change]) => change));
        return !["accept", "fetch"].includes(plan({ material: known }, node, now).kind);
      }),
    );
  });

  it("finds no change before the time that a wait names", () => {
    const some = fc.subarray([...blockers], { maxLength: 1 });
    const at = fc.integer({ min: T0 - 10, max: T0 + 4_000 });
    fc.assert(
      fc.property(
        some,
        at,
        fc.option(at, { nil: undefined }),
        fc.boolean(),
        (chosen, now, admittedAt, isConfirmed) => {
          const node = Object.assign({}, ...chosen.map(([, change]) => change));
          const first = plan({ admittedAt, isConfirmed }, node, now);
          if (first.kind !== "wait") return;
          assert.ok(first.lookAgainAt > now);
          for (const later of [now + 1, first.lookAgainAt - 1])
            if (later < first.lookAgainAt)
              assert.deepEqual(plan({ admittedAt, isConfirmed }, node, later), first);
          assert.notDeepEqual(plan({ admittedAt, isConfirmed }, node, first.lookAgainAt), first);
        },
      ),
    );
  });
});
