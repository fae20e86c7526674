import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import type { RegistryImage } from "@dekuper/protocol/node";
import { ImageChecker } from "../../src/daemon/image-checker.ts";

const signal = AbortSignal.timeout(60_000);
const digest = `sha256:${"ab".repeat(32)}`;
const local = `localhost/busybox@${digest}`;
const remote = `ghcr.io/owner/app@${digest}`;
const unreachable = (code: "IMAGE_NOT_FOUND" | "CLUSTER_UNREACHABLE") =>
  Promise.reject(new DekuperError(code, "Nobody answers.", { retryable: true }));

/** A checker with a clock, a cluster and a registry that tests may change. */
function aChecker(world: {
  names?: readonly string[];
  isComplete?: boolean;
  isLocalNetwork?: boolean;
  cluster?: "unreachable";
  registry?: () => Promise<RegistryImage>;
}) {
  const state = { ...world, nowMs: 0, lists: 0, asked: [] as string[] };
  const checker = new ImageChecker({
    clock: { now: () => state.nowMs },
    driver: {
      images: async () => {
        state.lists += 1;
        if (state.cluster === "unreachable") return unreachable("CLUSTER_UNREACHABLE");
        return { names: new Set(state.names), isComplete: state.isComplete ?? true };
      },
    },
    settings: {
      isLocalNetwork: state.isLocalNetwork ?? true,
      imageHosts: ["ghcr.io"],
      maxImageBytes: 1_000,
    },
    find: (image) => {
      state.asked.push(image);
      return state.registry?.() ?? Promise.resolve({ kind: "found", bytes: 1_000 });
    },
  });
  return { state, check: (image: string) => checker.check(image, signal) };
}
const unfit = (problem: string) => ({ kind: "unfit", problem, retrySeconds: 15 });

describe("an image that was imported into the cluster", () => {
  it("can run where a node has it, and asks no registry", async () => {
    const { state, check } = aChecker({ names: [local, remote] });
    assert.deepEqual(await check(local), { kind: "fit" });
    assert.deepEqual(await check(remote), { kind: "fit" });
    assert.deepEqual(state.asked, []);
  });

  it("cannot where no node has it, until one names it", async () => {
    const { state, check } = aChecker({ names: ["localhost/busybox:1"] });
    assert.deepEqual(await check(local), unfit("image-not-on-cluster"));
    state.names = [local];
    state.nowMs += 3_000;
    assert.deepEqual(await check(local), { kind: "fit" });
    assert.deepEqual(state.asked, []);
  });

  it("is looked for in one list for the orders that come together", async () => {
    const { state, check } = aChecker({ names: [local] });
    await Promise.all([check(local), check(local), check(`localhost/other@${digest}`)]);
    state.nowMs += 2_999;
    await check(local);
    assert.equal(state.lists, 1);
  });

  it("is not refused for a list that was cut", async () => {
    assert.deepEqual(await aChecker({ isComplete: false }).check(local), { kind: "fit" });
  });

  it("is unknown while the cluster cannot be asked, and the next look asks it again", async () => {
    const { state, check } = aChecker({ names: [local], cluster: "unreachable" });
    assert.deepEqual(await check(local), { kind: "unknown", retrySeconds: 5 });
    delete state.cluster;
    assert.deepEqual(await check(local), { kind: "fit" });
  });

  it("is refused on other networks", async () => {
    const { check } = aChecker({ names: [local], isLocalNetwork: false });
    assert.deepEqual(await check(local), unfit("image-host-not-allowed"));
  });
});

describe("an image of a registry", () => {
  it("is asked for once, however many orders name it", async () => {
    const { state, check } = aChecker({});
    assert.deepEqual(await Promise.all([check(remote), check(remote)]), [{ kind: "fit" }, { kind: "fit" }]);
    await check(remote);
    assert.deepEqual(state.asked, [remote]);
  });

  const answers: readonly (readonly [string, RegistryImage])[] = [
    ["image-not-found", { kind: "missing" }],
    ["image-not-for-linux-amd64", { kind: "other-platform" }],
    ["image-too-large", { kind: "found", bytes: 1_001 }],
  ];
  for (const [problem, answer] of answers)
    it(`is refused as ${problem}, and asked for again later`, async () => {
      const { state, check } = aChecker({ registry: async () => answer });
      assert.deepEqual(await check(remote), unfit(problem));
      state.nowMs += 14_999;
      assert.deepEqual(await check(remote), unfit(problem));
      assert.equal(state.asked.length, 1);
      state.registry = async () => ({ kind: "found", bytes: 1 });
      state.nowMs += 1;
      assert.deepEqual(await check(remote), { kind: "fit" });
    });

  it("is left to the cluster's own pull on a local network whose registry the oracle cannot ask", async () => {
    const { check } = aChecker({ registry: () => unreachable("IMAGE_NOT_FOUND") });
    assert.deepEqual(await check(remote), { kind: "fit" });
  });

  it("is unknown while the registry does not answer, which is asked ever less often", async () => {
    const { state, check } = aChecker({
      isLocalNetwork: false,
      registry: () => unreachable("IMAGE_NOT_FOUND"),
    });
    for (const retrySeconds of [5, 10, 20, 40, 60, 60]) {
      assert.deepEqual(await check(remote), { kind: "unknown", retrySeconds });
      state.nowMs += retrySeconds * 1_000;
    }
    state.registry = async () => ({ kind: "found", bytes: 1 });
    assert.deepEqual(await check(remote), { kind: "fit" });
  });

  it("is asked of its registry also while the cluster does not answer", async () => {
    assert.deepEqual(await aChecker({ cluster: "unreachable" }).check(remote), { kind: "fit" });
  });

  it("is never asked of a host that is not on the list", async () => {
    const { state, check } = aChecker({});
    assert.deepEqual(await check(`evil.example/app@${digest}`), unfit("image-host-not-allowed"));
    assert.deepEqual(state.asked, []);
  });

  it("waits its turn where many are asked for, and old answers are forgotten", async () => {
    const answered = Promise.withResolvers<RegistryImage>();
    const { state, check } = aChecker({ registry: () => answered.promise });
    const named = (number: number) => `ghcr.io/owner/app${number}@${digest}`;
    const first = Array.from({ length: 8 }, (_, number) => check(named(number)));
    assert.deepEqual(await check(named(8)), { kind: "unknown", retrySeconds: 5 });
    answered.resolve({ kind: "found", bytes: 1 });
    await Promise.all(first);
    for (let number = 8; number < 257; number += 1) await check(named(number));
    assert.equal(state.asked.length, 257);
    await check(named(256));
    assert.equal(state.asked.length, 257, "it is remembered");
    await check(named(0));
    assert.equal(state.asked.length, 258, "the oldest is not");
  });
});
