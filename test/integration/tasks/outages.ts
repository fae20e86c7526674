import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { LocalProvider } from "../../../cli/src/network/state.ts";
import { RpcServer } from "../../../oracle/test/chain/rpc-server.ts";
import { podUids, signalComponent } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { killOracle, pauseProcess, restartOracle, resumeProcess } from "../../lib/oracle-process.ts";
import { providerOf } from "../../lib/providers.ts";

/** What a provider or its network loses for a while. */

export function outages(get: () => NetworkFixture): void {
  describe("an outage", () => {
    it("of the RPC tears nothing down; the task is finished when it is back", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "rpc-down", command: ["sh", "-c", "sleep 8; echo survived > /output/x"] }),
      );
      await network.untilStatus(taskId, ["Running"]);
      const before = await podUids(network, leaseId);
      pauseProcess(network, "chain");
      await sleep(15_000);
      const during = await podUids(network, leaseId);
      resumeProcess(network, "chain");
      assert.deepEqual(during, before);
      await network.untilStatus(taskId, ["Completed"]);
      assert.equal((await network.fetch(taskId)).output.get("x"), "survived\n");
      await network.session.market.approve(leaseId);
    });

    for (const component of ["kube-apiserver", "kubelet"] as const) {
      it(`of the ${component} fails no lease`, async () => {
        const network = get();
        const { taskId, leaseId } = await network.submit(
          taskFile({ name: "cluster-down", command: ["sh", "-c", "sleep 8; echo survived > /output/x"] }),
        );
        const { lease } = await network.untilStatus(taskId, ["Running"]);
        const provider = providerOf(network, lease.node);
        await signalComponent(provider.clusterDir ?? "", component, "SIGSTOP");
        await sleep(12_000);
        const during = await network.session.market.task(taskId);
        await signalComponent(provider.clusterDir ?? "", component, "SIGCONT");
        assert.equal(during.lease.status, "Running");
        await network.untilStatus(taskId, ["Completed"]);
        assert.equal((await network.fetch(taskId)).output.get("x"), "survived\n");
        await network.session.market.approve(leaseId);
      });
    }

    it("of one RPC of two that lies freezes the oracle: nothing is torn down", async (t) => {
      const network = get();
      const rpcUrl = network.record.network.rpcUrls[0] ?? "";
      const liar = await RpcServer.start(t, {}, rpcUrl);
      const provider = cheapest(network);
      await killOracle(network, provider);
      await restartOracle(network, provider, { DEKUPER_ORACLE_RPC_URLS: JSON.stringify([rpcUrl, liar.url]) });
      try {
        const { taskId, leaseId } = await network.submit(
          taskFile({ name: "rpc-lies", command: ["sh", "-c", "sleep 15; echo survived > /output/x"] }),
        );
        await network.untilStatus(taskId, ["Running"]);
        const before = await podUids(network, leaseId);
        liar.handlers.set("eth_call", () => `0x${"00".repeat(32 * 40)}`); // there is no such lease
        liar.handlers.set("eth_getLogs", () => []);
        await sleep(10_000);
        assert.deepEqual(await podUids(network, leaseId), before);
        liar.handlers.clear();
        await network.untilStatus(taskId, ["Completed"]);
        assert.equal((await network.fetch(taskId)).output.get("x"), "survived\n");
        await network.session.market.approve(leaseId);
      } finally {
        await killOracle(network, provider);
        await restartOracle(network, provider);
      }
    });

    it("of the disk keeps the run's output in its pod until there is room", async () => {
      const network = get();
      const provider = cheapest(network);
      const blobs = join(provider.oracleDir, "state", "blobs");
      const resize = (size: string) => execFileSync("mount", ["-o", `remount,size=${size}`, blobs]);
      await killOracle(network, provider);
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=4g", "tmpfs", blobs]);
      await restartOracle(network, provider);
      try {
        const { taskId, leaseId } = await network.submit(
          taskFile({
            name: "disk-full",
            command: ["sh", "-c", "sleep 5; dd if=/dev/urandom of=/output/big bs=1M count=3 2>/dev/null"],
          }),
        );
        await network.untilStatus(taskId, ["Running"]);
        resize("2m");
        await sleep(12_000);
        const { lease } = await network.session.market.task(taskId);
        assert.equal(lease.status, "Running");
        assert.match(await readFile(join(provider.oracleDir, "oracle.log"), "utf8"), /DISK_FULL/);
        resize("4g");
        await network.untilStatus(taskId, ["Completed"]);
        assert.ok((await network.fetch(taskId)).output.get("big"));
        await network.session.market.approve(leaseId);
      } finally {
        await killOracle(network, provider);
        execFileSync("umount", ["--lazy", blobs]);
        await restartOracle(network, provider);
      }
    });
  });
}

/** The provider that asks least, and so takes every task that it can. */
function cheapest(network: NetworkFixture): LocalProvider {
  const [first] = network.record.providers.filter(({ name }) => name === "provider1");
  if (first === undefined) throw new Error("there is no provider1");
  return first;
}
