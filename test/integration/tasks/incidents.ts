import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { signReadToken } from "@dekuper/client";
import { isDekuperError } from "@dekuper/protocol";
import { freshAccount } from "../../../cli/src/network/accounts.ts";
import { openSession } from "../../../cli/src/network/demo/session.ts";
import { deletePods, podUids, untilGone } from "../../lib/cluster-view.ts";
import { type NetworkFixture, taskFile } from "../../lib/network-fixture.ts";
import { killOracle, restartOracle } from "../../lib/oracle-process.ts";

/** What went wrong for others in this field, shown not to happen here. */
export function incidents(get: () => NetworkFixture): void {
  describe("incidents elsewhere", () => {
    it("a stranger can read neither output nor logs of a task", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "secret", command: ["sh", "-c", "echo secret | tee /output/x"] }),
      );
      const { lease } = await network.untilStatus(taskId, ["Completed"]);
      const { attestation } = lease;
      assert.ok(lease.node !== undefined && attestation !== undefined);
      const stranger = await openSession(network.record.network, freshAccount());
      try {
        const ref = { leaseId, attempt: lease.attempt };
        const output = { kind: "output", digest: attestation.attestation.ciphertextRoot } as const;
        const drain = async (from: AsyncIterable<unknown>) => {
          for await (const _ of from);
        };
        const token = (scope: "output" | "logs") =>
          signReadToken(stranger.signer, network.record.network.deployment, ref, scope);
        const denied = { code: "READ_DENIED" };
        await assert.rejects(drain(stranger.peer.getBlob(lease.node, output)), denied);
        await assert.rejects(
          drain(stranger.peer.getBlob(lease.node, output, { token: await token("output") })),
          denied,
        );
        const logs = { ...ref, offset: 0, follow: false, token: await token("logs") };
        await assert.rejects(drain(stranger.peer.followLogs(lease.node, logs)), denied);
      } finally {
        await stranger.peer.stop();
      }
      await network.session.market.approve(leaseId);
    });

    it("a pod of ours has no network, no host access, no token and no privileges", async () => {
      const network = get();
      const probe = [
        "id -u",
        "ls /var/run/secrets 2>&1",
        "touch /escape 2>&1",
        "echo page > /tmp/index.html; httpd -p 127.0.0.1:8080 -h /tmp",
        'reach() { echo "GET / HTTP/1.0" | nc -w 2 $1 $2 > /dev/null 2>&1 && echo $1 reached; }',
        "reach 127.0.0.1 8080; reach 169.254.169.254 80; reach 10.96.0.1 443; reach 10.0.0.1 80",
        'echo "NVIDIA=$NVIDIA_VISIBLE_DEVICES"',
        "cat /proc/self/status | grep -E 'CapEff|NoNewPrivs|Seccomp:'",
      ].join("; ");
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "probe", command: ["sh", "-c", `${probe}; true`] }),
      );
      await network.untilStatus(taskId, ["Completed"]);
      const { log } = await network.fetch(taskId);
      assert.match(log, /^1000$/m);
      assert.match(log, /secrets: No such file/);
      assert.match(log, /escape: Read-only file system/);
      assert.match(log, /^NVIDIA=void$/m);
      assert.match(log, /^CapEff:\s+0+$/m);
      assert.match(log, /^NoNewPrivs:\s+1$/m);
      assert.match(log, /^Seccomp:\s+2$/m);
      assert.deepEqual(log.match(/^.* reached$/gm), ["127.0.0.1 reached"]);
      await network.session.market.approve(leaseId);
    });

    it("an ended lease never comes back, whatever is deleted", async () => {
      const network = get();
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "deleted", command: ["sh", "-c", "sleep 60"] }),
      );
      await network.untilStatus(taskId, ["Running"]);
      const before = await podUids(network, leaseId);
      await deletePods(network, leaseId);
      const { lease, money } = await network.untilDetail(taskId, (detail) =>
        ["Failed", "Completed", "Expired"].includes(detail.lease.status),
      );
      assert.notEqual(lease.status, "Settled");
      await untilGone(network, leaseId);
      const after = await podUids(network, leaseId);
      assert.deepEqual(after, []);
      assert.equal(before.length, 1);
      if (lease.status === "Failed") assert.ok(money.released > 0n);
      else await network.session.market.approve(leaseId);
    });

    it("the log of a run whose pod was deleted is still the consumer's to read", async () => {
      const network = get();
      const { signer, peer } = network.session;
      const { taskId, leaseId } = await network.submit(
        taskFile({ name: "last-words", command: ["sh", "-c", "echo last words; sleep 60"] }),
      );
      const { lease } = await network.untilStatus(taskId, ["Running"]);
      const { node, attempt } = lease;
      assert.ok(node !== undefined);
      const token = await signReadToken(
        signer,
        network.record.network.deployment,
        { leaseId, attempt },
        "logs",
      );
      const readLog = async (follow: boolean) => {
        let log = "";
        for await (const bytes of peer.followLogs(node, { leaseId, attempt, offset: 0, follow, token })) {
          log += Buffer.from(bytes).toString();
          if (follow) break;
        }
        return log;
      };
      assert.equal(await readLog(true), "last words\n");
      await deletePods(network, leaseId);
      await network.untilDetail(taskId, (detail) => detail.lease.status === "Failed");
      await untilGone(network, leaseId);
      assert.match(await readLog(false), /^last words\n/); // its shell may have said that it was ended
    });

    it("new tasks start while one oracle is dead", async () => {
      const network = get();
      const [first] = network.record.providers;
      assert.ok(first !== undefined);
      await killOracle(network, first);
      try {
        // Where a busy machine has heard only the dead one lately, nothing is ordered, and the error says to try again.
        const order = () => network.submit(taskFile({ name: "one-dead", command: ["true"] }));
        const { taskId, leaseId } = await order().catch((error: unknown) => {
          assert.ok(isDekuperError(error, "PEER_UNREACHABLE"), String(error));
          return order();
        });
        const { lease } = await network.untilStatus(taskId, ["Completed"]);
        assert.notEqual(lease.node, first.operator.address);
        await network.session.market.approve(leaseId);
      } finally {
        await restartOracle(network, first);
      }
    });
  });
}
