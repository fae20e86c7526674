import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkGpus, clockCheck, type WireNode } from "../../src/doctor/cluster-facts.ts";
import { checkConfinement, checkUserNamespace } from "../../src/doctor/confinement.ts";
import { parseFacts, type Target } from "../../src/doctor/look-around.ts";
import { checkNetwork, type NetworkFindings } from "../../src/doctor/network.ts";
import type { DoctorCheck } from "../../src/doctor/report.ts";

const targets: readonly Target[] = [
  { check: "other pods", host: "10.0.0.9", port: 18_080 },
  { check: "metadata", host: "169.254.169.254", port: 80 },
  { check: "API server", host: "10.0.0.1", port: 6443 },
  { check: "kubelet", host: "10.0.0.1", port: 10_250 },
  { check: "outside", host: "1.1.1.1", port: 443 },
  { check: "IPv6", host: "fd00::1", port: 80 },
];

const good = `uid 1000
CapEff: 0000000000000000
NoNewPrivs: 1
Seccomp: 2
user-map 0 1879048192 65536
writable /tmp
itself reached
done
`;

function network(from: Partial<NetworkFindings> & { log?: string } = {}): Map<string, DoctorCheck> {
  const { log = good, ...rest } = from;
  const checks = checkNetwork({
    facts: parseFacts(log),
    targets,
    controlReached: true,
    leaseReached: false,
    controlResolved: true,
    ...rest,
  });
  return new Map(checks.map((one) => [one.check, one]));
}

const failing = (checks: Map<string, DoctorCheck>): string[] =>
  [...checks.values()].filter(({ ok }) => !ok).map(({ check }) => check);

describe("what a probe of the network proves", () => {
  it("is isolation, when nothing was reached and the probe itself works", () => {
    assert.deepEqual(failing(network()), []);
  });

  it("is nothing, when not even the control gets a connection", () => {
    const silent = failing(network({ controlReached: false }));
    assert.deepEqual(silent, [
      "probe",
      "other pods",
      "metadata",
      "API server",
      "kubelet",
      "outside",
      "IPv6",
      "from other pods",
    ]);
    assert.deepEqual(failing(network({ log: good.replace("itself reached\n", "") })), silent);
  });

  it("is nothing of what no address is known of", () => {
    const known = targets.filter(({ check }) => check !== "kubelet");
    assert.deepEqual(failing(network({ targets: known })), ["kubelet"]);
  });

  it("is a hole for each place that was reached, and says where and what helps", () => {
    const holes = network({
      log: `${good}reached other-pods 10.0.0.9 18080\nreached IPv6 fd00::1 80\nresolved x\n`,
    });
    assert.deepEqual(failing(holes), ["other pods", "IPv6", "DNS"]);
    assert.match(holes.get("other pods")?.detail ?? "", /10\.0\.0\.9 port 18080/);
    assert.match(holes.get("other pods")?.hint ?? "", /install a NetworkPolicy controller/);
  });

  it("is a hole when a stranger reaches the lease", () => {
    assert.deepEqual(failing(network({ leaseReached: true })), ["from other pods"]);
  });
});

describe("what a probe of the pod proves", () => {
  it("is a user namespace only where the pod's root is not the machine's", () => {
    const ok = (map: string) => checkUserNamespace(parseFacts(map)).ok;
    assert.equal(ok("user-map 0 1879048192 65536"), true);
    assert.equal(ok("user-map 0 0 4294967295"), false);
    assert.equal(ok("user-map 0 0 65536"), false);
    assert.equal(ok("user-map 0 100000 65536\nuser-map 65536 0 1"), false);
    assert.equal(ok(""), false);
  });

  it("is confinement only where each part of it was seen", () => {
    assert.equal(checkConfinement(parseFacts(good)).ok, true);
    for (const [seen, instead] of [
      ["uid 1000", "uid 0"],
      ["0000000000000000", "00000000a80425fb"],
      ["NoNewPrivs: 1", "NoNewPrivs: 0"],
      ["Seccomp: 2", "Seccomp: 0"],
      ["writable /tmp", "writable /\nwritable /tmp"],
      ["done", "token mounted"],
    ] as const)
      assert.equal(checkConfinement(parseFacts(good.replace(seen, instead))).ok, false, instead);
    assert.equal(checkConfinement(parseFacts("")).ok, false);
  });
});

describe("what the doctor makes of the cluster's own words", () => {
  const gpuNode = (count: string, labels: Record<string, string>): WireNode => ({
    metadata: { labels },
    status: { allocatable: { "nvidia.com/gpu": count } },
  });
  const h100 = { "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.memory": "81559" };

  it("takes GPUs of one labelled model", () => {
    assert.equal(checkGpus([]).detail, "none");
    const two = checkGpus([gpuNode("8", h100), gpuNode("4", h100)]);
    assert.deepEqual([two.ok, two.detail], [true, "12x NVIDIA-H100-80GB-HBM3"]);
    assert.equal(checkGpus([gpuNode("8", {})]).ok, false);
    assert.equal(
      checkGpus([gpuNode("8", h100), gpuNode("1", { ...h100, "nvidia.com/gpu.product": "L40S" })]).ok,
      false,
    );
  });

  it("takes a clock that tells whole seconds for right within a second, and 6 s for wrong", () => {
    const at = (told: number) => clockCheck("clock", "a clock", told, 100_500, 100_700);
    assert.equal(at(100_000).ok, true);
    assert.equal(at(105_000).ok, true);
    assert.match(at(107_000).detail, /6 s ahead/);
    assert.equal(at(95_000).ok, true);
    assert.match(at(93_000).detail, /7 s behind/);
  });
});
