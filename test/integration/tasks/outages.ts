import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { podUids, signalApiServer } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { pauseProcess, resumeProcess } from "../../lib/oracle-process.ts";

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

    it("of the Kubernetes API fails no lease", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "api-down", command: ["sh", "-c", "sleep 8; echo survived > /output/x"] }),
      );
      const { lease } = await network.untilStatus(taskId, ["Running"]);
      const provider = network.record.providers.find(({ operator }) => operator.address === lease.node);
      assert.ok(provider?.clusterDir !== undefined);
      await signalApiServer(provider.clusterDir, "SIGSTOP");
      await sleep(12_000);
      const during = await network.session.market.task(taskId);
      await signalApiServer(provider.clusterDir, "SIGCONT");
      assert.equal(during.lease.status, "Running");
      await network.untilStatus(taskId, ["Completed"]);
      assert.equal((await network.fetch(taskId)).output.get("x"), "survived\n");
      await network.session.market.approve(leaseId);
    });
  });
}
