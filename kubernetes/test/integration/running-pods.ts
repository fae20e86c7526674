import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  apply,
  eventually,
  execute,
  headlessService,
  kubectl,
  namespaceObject,
  podObject,
  waitForPods,
} from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";

const NAMESPACE = "pods";

/** What a task may count on. */
export function describePods(pair: ClusterPair): void {
  describe("a pod", () => {
    before(async () => {
      await apply(
        pair.first,
        namespaceObject(NAMESPACE),
        headlessService(NAMESPACE),
        ...["one", "two"].map((name) =>
          podObject({ namespace: NAMESPACE, name, script: `echo "I am ${name}"; exec sleep 3600` }),
        ),
      );
      await waitForPods(pair.first, NAMESPACE);
    });

    const inPod = (name: string, script: string): Promise<string> =>
      execute(pair.first, NAMESPACE, name, script);

    it("is known by what it says", async () => {
      await eventually("the pod's log", 10, async () => {
        return (await kubectl(pair.first, ["logs", "-n", NAMESPACE, "one"])) === "I am one\n";
      });
    });

    it("runs commands and passes their exit status on", async () => {
      assert.equal(await inPod("one", "hostname; id -u"), "one\n1000\n");
      await assert.rejects(inPod("one", "exit 7"), /exit code 7/);
    });

    it("has users of its own, that no other pod and nobody on the host is", async () => {
      const ranges = await Promise.all(
        ["one", "two"].map(async (name) => (await inPod(name, "cat /proc/self/uid_map")).trim().split(/\s+/)),
      );
      for (const [inside, outside, length] of ranges) {
        assert.equal(inside, "0");
        assert.equal(length, "65536");
        assert.ok(Number(outside) >= 65_536, `root inside is ${outside} outside`);
      }
      assert.notEqual(ranges[0]?.[1], ranges[1]?.[1]);
    });

    it("finds the pods of its namespace by name", async () => {
      const address = (await inPod("two", "hostname -i")).trim();
      await eventually("two's name", 10, async () => {
        const answer = await inPod("one", `nslookup two.members.${NAMESPACE}.svc.cluster.local`);
        return answer.includes(`Address: ${address}`);
      });
    });

    it("finds no name beyond the cluster", async () => {
      const answer = await inPod("one", "nslookup example.org 2>&1; echo exit $?");
      assert.match(answer, /can't find example\.org/);
      assert.match(answer, /exit 1/);
    });

    it("sees no credential and no socket of the cluster", async () => {
      const sockets = await inPod("one", "find / -xdev -type s 2>/dev/null; tail -n +2 /proc/net/unix; true");
      assert.equal(sockets, "");
      assert.equal(await inPod("one", "ls /var/run/secrets 2>/dev/null; true"), "");
    });
  });
}
