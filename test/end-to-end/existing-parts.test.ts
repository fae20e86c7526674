import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { defaultCacheDir, type RunningCluster, startCluster, stopCluster } from "@dekuper/kubernetes";
import { CoreV1Api, KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { rpc } from "../../cli/src/network/chain.ts";
import { freePorts } from "../../cli/src/network/processes.ts";
import { runJson } from "../lib/command-line.ts";
import { root } from "../lib/run-suite.ts";
import { checkDemo, type DemoJson, verify } from "./demo-result.ts";

/** The first account of every Hardhat node. */
const DEPLOYER = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

describe("a demo on a chain and a cluster that exist already", () => {
  let folder = "";
  let chain: ChildProcess | undefined;
  let cluster: RunningCluster;
  let rpcUrl = "";
  const state = () => join(folder, "network");

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dekuper-existing-"));
    const [port = 0] = await freePorts(1);
    rpcUrl = `http://127.0.0.1:${port}`;
    const args = ["node", "--network", "local", "--hostname", "127.0.0.1", "--port", String(port)];
    chain = spawn(join(root, "node_modules/.bin/hardhat"), args, { cwd: root, stdio: "ignore" });
    cluster = await startCluster({
      name: "existing",
      stateDir: join(folder, "cluster"),
      cacheDir: defaultCacheDir(),
      images: ["busybox"],
    });
    for (const deadline = Date.now() + 60_000; ; await sleep(200)) {
      if (await rpc(rpcUrl, "eth_chainId", []).catch(() => undefined)) break;
      assert.ok(Date.now() < deadline, "the Hardhat node does not answer");
    }
  });
  after(async () => {
    chain?.kill();
    if (cluster !== undefined) await stopCluster(cluster.stateDir, { remove: true });
    await rm(folder, { recursive: true, force: true });
  });

  it("runs there without a GPU, keeps the pod for a look, and goes without touching either", async () => {
    const busybox = cluster.images.find(({ name }) => name === "busybox")?.reference ?? "";
    const demo = await runJson<DemoJson>([
      "demo",
      ...["--json", "--keep", "--sample", "hello", "--state", state()],
      ...["--rpc-url", rpcUrl, "--deployer-key", DEPLOYER],
      ...["--kubeconfig", cluster.kubeconfigPath, "--image", busybox, "--helper-image", busybox],
    ]);
    try {
      checkDemo(demo, 1);
      assert.equal(demo.kubeconfig, cluster.kubeconfigPath);
      assert.ok(verify(demo).ok);
      const pod = await finishedPod(cluster, demo.namespace);
      assert.equal(pod?.metadata?.uid, demo.podUid);
      assert.equal(pod?.status?.phase, "Succeeded");
      await api(cluster).createNamespace({ body: { metadata: { name: "somebody-elses" } } });
    } finally {
      await runJson(["down", "--json", "--state", state()]);
    }
    const names = (await api(cluster).listNamespace()).items
      .filter(({ status }) => status?.phase === "Active")
      .map(({ metadata }) => metadata?.name);
    assert.ok(!names.includes(demo.namespace), "our namespace is gone");
    assert.ok(names.includes("somebody-elses"), "others' namespaces stay");
    assert.equal(await rpc(rpcUrl, "eth_chainId", []), "0x7a69");
  });
});

/** The pod ends a moment after the task is settled: when the end is final and the helper is released. */
async function finishedPod(cluster: RunningCluster, namespace: string): Promise<V1Pod | undefined> {
  for (const deadline = Date.now() + 30_000; ; await sleep(200)) {
    const [pod] = (await api(cluster).listNamespacedPod({ namespace })).items;
    if (pod?.status?.phase === "Succeeded" || Date.now() > deadline) return pod;
  }
}

function api(cluster: RunningCluster): CoreV1Api {
  const config = new KubeConfig();
  config.loadFromFile(cluster.kubeconfigPath);
  return config.makeApiClient(CoreV1Api);
}
