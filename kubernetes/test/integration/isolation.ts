import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { runCommand } from "../../src/command.ts";
import type { RunningCluster } from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import { inNetworkNamespace } from "../../src/network.ts";
import { eventually, execute } from "./cluster-fixture.ts";
import { addressesOf, type ClusterPair } from "./cluster-pair.ts";
import { type Answer, HostListener, probe, sendPackets, type Target } from "./probe.ts";
import { startTenants, TENANT_PORT, tenantAt } from "./tenants.ts";

/** One address of each range that has been forgotten before, given to the host's end of the first cluster's link. */
const STAND_INS = [
  { what: "link-local range", host: "169.254.254.253" },
  { what: "private range", host: "172.31.254.253" },
  { what: "private range", host: "192.168.254.253" },
  { what: "carriers' range", host: "100.127.254.253" },
];

/**
 * Opens every way that the packet filter closes: the cluster gets a default route, the host one back to the pods and
 * addresses of other ranges. What then does not pass is the filter's doing alone.
 */
async function openRoutes(cluster: RunningCluster): Promise<() => Promise<void>> {
  const { netns, hostLink } = clusterLayout(cluster.stateDir);
  const { node, podCidr } = addressesOf(cluster);
  const back = ["route", "add", podCidr, "via", node];
  await runCommand("ip", back);
  await runCommand("ip", ["-netns", netns, "route", "add", "default", "via", hostEnd(cluster)]);
  for (const { host } of STAND_INS) await runCommand("ip", ["address", "add", `${host}/32`, "dev", hostLink]);
  return async () => {
    await runCommand("ip", back.with(1, "delete"));
    await runCommand("ip", ["-netns", netns, "route", "delete", "default"]);
    for (const { host } of STAND_INS)
      await runCommand("ip", ["address", "delete", `${host}/32`, "dev", hostLink]);
  };
}

function hostEnd(cluster: RunningCluster): string {
  return addressesOf(cluster).hostCidr.split("/")[0] ?? "";
}

async function nft(cluster: RunningCluster, args: string[], input = ""): Promise<string> {
  const { netnsPath } = clusterLayout(cluster.stateDir);
  const [program = "", ...rest] = inNetworkNamespace(netnsPath, ["nft", ...args]);
  return runCommand(program, rest, { input });
}

async function withoutFilter<T>(cluster: RunningCluster, use: () => Promise<T>): Promise<T> {
  const table = await nft(cluster, ["--stateless", "list", "table", "inet", "dekuper"]);
  await nft(cluster, ["delete", "table", "inet", "dekuper"]);
  try {
    return await use();
  } finally {
    await nft(cluster, ["-f", "-"], table);
  }
}

function answered(answers: Record<string, Answer>): string[] {
  return Object.entries(answers).flatMap(([target, answer]) =>
    answer === "open" || answer === "refused" ? [`${target} is ${answer}`] : [],
  );
}

function controlPlane(cluster: RunningCluster, what: string): Target[] {
  const { node, podGateway } = addressesOf(cluster);
  const ports = { "API server": 6443, kubelet: 10_250, etcd: 2379, "etcd's peer": 2380, scheduler: 10_259 };
  return Object.entries(ports).flatMap(([name, port]) =>
    [node, podGateway].map((host) => ({ what: `${what} ${name}`, host, port })),
  );
}

/** Proved from inside pods; the same probes find everything open once the filter is taken away. */
export function describeIsolation(pair: ClusterPair): void {
  describe("a pod among strangers", () => {
    const host = new HostListener();
    let closeRoutes: (() => Promise<void>) | undefined;
    before(async () => {
      await startTenants(pair);
      closeRoutes = await openRoutes(pair.first);
      await host.start();
    });
    after(async () => {
      await closeRoutes?.();
      await host.stop();
    });

    const fromTenantA = (targets: Target[]): Promise<Record<string, Answer>> =>
      probe(pair.first, "tenant-a", "a-1", targets);
    /** The host's end of the first cluster's link, and the addresses of other ranges that it was given. */
    const linkTargets = (): Target[] => {
      const link = { what: "host's end", host: hostEnd(pair.first) };
      return [link, ...STAND_INS].map((target) => ({ ...target, port: host.port }));
    };

    it("reaches the pods of its own namespace and the cluster's DNS", async () => {
      const dns = { what: "DNS", host: addressesOf(pair.first).node, port: 53 };
      const targets = [await tenantAt(pair.first, "tenant-a", "a-2"), dns];
      // The filter learns of an address a moment after the kubelet tells it.
      await eventually("the way within a namespace", 10, async () => {
        return Object.values(await fromTenantA(targets)).every((answer) => answer === "open");
      });
    });

    it("reaches no pod of another namespace, nor is it reached from there", async () => {
      const strangers = [
        await tenantAt(pair.first, "tenant-b", "b-1"),
        await tenantAt(pair.first, "tenant-b", "b-2"),
      ];
      assert.deepEqual(answered(await fromTenantA(strangers)), []);
      const backwards = [
        await tenantAt(pair.first, "tenant-a", "a-1"),
        await tenantAt(pair.first, "tenant-a", "a-2"),
      ];
      assert.deepEqual(answered(await probe(pair.first, "tenant-b", "b-1", backwards)), []);
    });

    it("reaches neither API server, kubelet, etcd nor scheduler", async () => {
      const service = { what: "API service", host: "10.96.0.1", port: 443 };
      assert.deepEqual(answered(await fromTenantA([...controlPlane(pair.first, "own"), service])), []);
    });

    it("reaches no address of the host, by TCP or UDP, and no cloud's metadata", async () => {
      const metadata = { what: "metadata", host: "169.254.169.254", port: 80 };
      assert.deepEqual(answered(await fromTenantA([...host.targets(), ...linkTargets(), metadata])), []);
      await sendPackets(pair.first, "tenant-a", "a-1", host.targets());
      assert.deepEqual(host.seen, []);
    });

    it("reaches nothing by IPv6 but itself", async () => {
      const linkLocal = async (namespace: string, pod: string): Promise<string> => {
        const text = await execute(pair.first, namespace, pod, "ip -6 addr show dev eth0");
        return text.match(/fe80::[0-9a-f:]+/)?.[0] ?? "";
      };
      const own = { what: "itself", host: `${await linkLocal("tenant-a", "a-1")}%eth0`, port: TENANT_PORT };
      const others = [
        { what: "own namespace", host: `${await linkLocal("tenant-a", "a-2")}%eth0`, port: TENANT_PORT },
        { what: "stranger", host: `${await linkLocal("tenant-b", "b-1")}%eth0`, port: TENANT_PORT },
        { what: "all nodes", host: "ff02::1%eth0", port: TENANT_PORT },
        { what: "metadata", host: "fd00:ec2::254", port: 80 },
      ];
      assert.deepEqual(Object.values(await fromTenantA([own])), ["open"]);
      assert.deepEqual(answered(await fromTenantA(others)), []);
    });

    it("reaches nothing of another cluster, not even a namespace of the same name", async () => {
      const stranger = await tenantAt(pair.second, "tenant-a", "c-1");
      const other = [stranger, ...controlPlane(pair.second, "other")];
      assert.deepEqual(answered(await fromTenantA(other)), []);
      const first = [await tenantAt(pair.first, "tenant-a", "a-1"), ...controlPlane(pair.first, "first")];
      assert.deepEqual(answered(await probe(pair.second, "tenant-a", "c-1", first)), []);
    });

    it("would reach all of them were it not for the filter", async () => {
      const { node } = addressesOf(pair.first);
      const targets = [
        await tenantAt(pair.first, "tenant-b", "b-1"),
        { what: "API server", host: node, port: 6443 },
        { what: "kubelet", host: node, port: 10_250 },
        ...linkTargets(),
      ];
      const answers = await withoutFilter(pair.first, async () => {
        await sendPackets(pair.first, "tenant-a", "a-1", linkTargets());
        return fromTenantA(targets);
      });
      assert.equal(answered(answers).length, targets.length, JSON.stringify(answers));
      assert.ok(
        host.seen.some((packet) => packet.startsWith("UDP from")),
        host.seen.join(),
      );
      assert.deepEqual(answered(await fromTenantA(targets)), []);
    });
  });
}
