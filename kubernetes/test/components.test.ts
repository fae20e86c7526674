import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterAddresses } from "../src/addresses.ts";
import { BINARY_RECIPES, buildArguments } from "../src/binary-recipes.ts";
import { planComponents, STOP_ORDER } from "../src/components.ts";
import { cniConfig, containerdConfig, corefile, kubeletConfig } from "../src/configuration.ts";
import { KubernetesError } from "../src/errors.ts";
import { COMPILED_IN_FOLDERS, clusterLayout } from "../src/layout.ts";
import type { ClusterSettings } from "../src/settings.ts";
import { phaseOf } from "../src/status.ts";
import { nextBackoff } from "../src/supervised-process.ts";

function settingsOf(stateDir: string, index: number): ClusterSettings {
  return {
    name: `node-${index}`,
    id: clusterLayout(stateDir).id,
    addresses: clusterAddresses(index),
    gpus: { count: 8, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 },
    images: [],
    binDir: "/cache/bin",
    imageStore: "/cache/store",
  };
}

const layout = clusterLayout("/state/a");
const settings = settingsOf("/state/a", 0);
const components = planComponents(layout, settings);

describe("the plan of processes", () => {
  it("starts what needs nothing first and the kubelet last of what it needs", () => {
    const needsOf = (name: string) => components.find((component) => component.name === name)?.needs;
    assert.equal(needsOf("etcd"), "nothing");
    assert.equal(needsOf("kube-apiserver"), "nothing");
    assert.equal(needsOf("kube-scheduler"), "api");
    assert.equal(needsOf("kubelet"), "api-and-runtime");
  });

  it("stops every process, the API server before its etcd", () => {
    const order = STOP_ORDER.flat();
    assert.deepEqual(order.toSorted(), components.map(({ name }) => name).sort());
    assert.ok(order.indexOf("kube-apiserver") < order.indexOf("etcd"));
    assert.ok(order.indexOf("kubelet") < order.indexOf("containerd"));
  });

  it("labels the node as NVIDIA's discovery does", () => {
    const kubelet = components.find(({ name }) => name === "kubelet")?.command.join(" ");
    assert.match(kubelet ?? "", /--node-labels=.*nvidia\.com\/gpu\.product=NVIDIA-H100-80GB-HBM3/);
  });

  it("builds every program that it starts", () => {
    const built = new Set(BINARY_RECIPES.flatMap(({ programs, links }) => [...programs, ...links]));
    for (const { name } of components) assert.ok(built.has(name), name);
  });

  it("never changes a pinned module while it builds", () => {
    for (const recipe of BINARY_RECIPES) assert.ok(buildArguments(recipe, "/out").includes("-mod=readonly"));
  });
});

describe("two clusters on one machine", () => {
  it("share no path, name or address in their configuration", () => {
    const other = clusterLayout("/state/b");
    const otherSettings = settingsOf("/state/b", 1);
    const isBound = (path: string) => COMPILED_IN_FOLDERS.some((folder) => path.startsWith(`${folder}/`));
    const paths = Object.values(other);
    for (const value of Object.values(layout).filter((path) => !isBound(path)))
      assert.ok(!paths.includes(value), value);
    const written = [
      containerdConfig(other, "/cache/bin"),
      cniConfig(other, otherSettings),
      kubeletConfig(other, otherSettings),
      corefile(other, otherSettings),
      JSON.stringify(planComponents(other, otherSettings)),
    ].join("\n");
    for (const foreign of [layout.id, "/state/a", "10.213.0.", "10.214.0."])
      assert.ok(!written.includes(foreign), foreign);
  });
});

describe("the state folder", () => {
  it("is refused when unix sockets could not live in it", () => {
    const isTooLong = (error: unknown) =>
      error instanceof KubernetesError && error.code === "STATE_PATH_TOO_LONG";
    assert.throws(() => clusterLayout(`/${"long".repeat(30)}`), isTooLong);
  });

  it("names the same cluster however it is written", () => {
    assert.equal(clusterLayout("/state/./b/../a/").id, layout.id);
  });
});

describe("what the facts of a cluster mean", () => {
  it("tells a cluster whose supervisor died from one that was stopped", () => {
    assert.equal(phaseOf({ phase: "ready" }, true, true), "ready");
    assert.equal(phaseOf({ phase: "ready" }, false, true), "abandoned");
    assert.equal(phaseOf({ phase: "ready" }, false, false), "stopped");
    assert.equal(phaseOf({ phase: "failed" }, false, false), "failed");
    assert.equal(phaseOf(undefined, false, false), "none");
  });

  it("waits longer each time a process dies young, and starts over once one lived", () => {
    assert.equal(nextBackoff(undefined, 0), 250);
    assert.equal(nextBackoff(250, 100), 500);
    assert.equal(nextBackoff(30_000, 100), 30_000);
    assert.equal(nextBackoff(30_000, 120_000), 250);
  });
});
