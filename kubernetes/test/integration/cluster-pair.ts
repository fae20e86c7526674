import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ClusterAddresses } from "../../src/addresses.ts";
import { type RunningCluster, startCluster, stopCluster } from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import { type ClusterSettings, readJson } from "../../src/settings.ts";
import { cacheDir } from "./cluster-fixture.ts";
import { makeTestFolder } from "./test-folder.ts";

const GPUS = { count: 8, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 };

/** Two clusters side by side, as two providers on one machine have them; shared by every suite of one file. */
export class ClusterPair {
  readonly folder: string = makeTestFolder();
  readonly stateDirs: readonly [string, string] = [join(this.folder, "one"), join(this.folder, "two")];
  #clusters: readonly RunningCluster[] = [];

  async start(): Promise<void> {
    const options = { cacheDir, images: ["busybox"] as const, gpus: GPUS };
    this.#clusters = await Promise.all(
      this.stateDirs.map((stateDir, index) =>
        startCluster({ ...options, name: `node-${index + 1}`, stateDir }),
      ),
    );
  }

  /** Ends both whatever the tests did to them. */
  async stop(): Promise<void> {
    await Promise.all(this.stateDirs.map((stateDir) => stopCluster(stateDir, { remove: true })));
    rmSync(this.folder, { recursive: true, force: true });
  }

  get first(): RunningCluster {
    return this.#cluster(0);
  }

  get second(): RunningCluster {
    return this.#cluster(1);
  }

  #cluster(index: number): RunningCluster {
    const cluster = this.#clusters[index];
    if (!cluster) throw new Error("the pair of clusters has not started");
    return cluster;
  }
}

export function addressesOf({ stateDir }: RunningCluster): ClusterAddresses {
  const settings = readJson<ClusterSettings>(clusterLayout(stateDir).clusterFile);
  if (!settings) throw new Error(`no cluster was started in ${stateDir}`);
  return settings.addresses;
}
