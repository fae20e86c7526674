import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { runCommand } from "../../src/command.ts";
import type { RunningCluster } from "../../src/index.ts";
import { clusterLayout } from "../../src/layout.ts";
import { inNetworkNamespace } from "../../src/network.ts";
import { POD_CONNECTION_RATE } from "../../src/ruleset.ts";
import { execute, kubectl } from "./cluster-fixture.ts";
import type { ClusterPair } from "./cluster-pair.ts";
import { PodNetwork } from "./pod-network.ts";
import { probe } from "./probe.ts";
import { startTenants, tenantAt } from "./tenants.ts";

const PORT = 7100;
const ATTEMPTS = 5000;

const ACCEPT_ALL = `require("node:net").createServer((socket) => socket.on("error", () => 0))
  .listen(${PORT}, () => console.log("listening"))`;

const openWithoutEnd = (host: string): string => `
const { connect } = require("node:net");
let open = 0;
const startedAt = Date.now();
for (let attempt = 0; attempt < ${ATTEMPTS}; attempt++)
  connect(${PORT}, "${host}").on("connect", () => open++).on("error", () => 0);
setTimeout(() => {
  console.log(JSON.stringify({ open, seconds: (Date.now() - startedAt) / 1000 }));
  process.exit();
}, 4000);`;

const RECEIVE = `const socket = require("node:dgram").createSocket("udp4");
socket.on("message", (text) => console.log(String(text)));
socket.bind(${PORT}, () => console.log("listening"));`;

const send = (from: string, to: string, text: string): string => `
const socket = require("node:dgram").createSocket("udp4");
socket.bind(0, "${from}", () => socket.send("${text}", ${PORT}, "${to}", () => socket.close()));`;

async function inClusterNetwork(cluster: RunningCluster, script: string): Promise<string> {
  const { netnsPath } = clusterLayout(cluster.stateDir);
  const [program = "", ...args] = inNetworkNamespace(netnsPath, ["sh", "-c", script]);
  return (await runCommand(program, args)).trim();
}

/** With every capability over its own network, which no task has, a pod still is only itself and only so loud. */
export function describeConnections(pair: ClusterPair): void {
  describe("a pod with the run of its network", () => {
    before(() => startTenants(pair));

    it("opens connections at a capped rate, and its neighbours do not notice", async () => {
      const [from, to] = await Promise.all(
        ["a-1", "a-2"].map((pod) => PodNetwork.of(pair.first, "tenant-a", pod)),
      );
      assert.ok(from && to);
      const server = await to.serve(ACCEPT_ALL);
      try {
        const storm = from.runScript(openWithoutEnd(to.address));
        const neighbour = await tenantAt(pair.first, "tenant-b", "b-2");
        for (let round = 0; round < 5; round++) {
          const answers = await probe(pair.first, "tenant-b", "b-1", [neighbour]);
          assert.deepEqual(Object.values(answers), ["open"]);
          const name = "nslookup b-2.members.tenant-b.svc.cluster.local";
          assert.ok((await execute(pair.first, "tenant-b", "b-1", name)).includes(neighbour.host));
          await kubectl(pair.first, ["get", "node", pair.first.name]);
        }
        const { open, seconds } = JSON.parse(await storm) as { open: number; seconds: number };
        const most = POD_CONNECTION_RATE.burst + POD_CONNECTION_RATE.perSecond * seconds;
        assert.ok(open > 0 && open <= most, `${open} opened in ${seconds} s, at most ${most}`);
        assert.ok(most < ATTEMPTS);
      } finally {
        server.stop();
      }
    });

    it("fills no table of the kernel's: no connection is tracked", async () => {
      const count = "cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null || echo 0";
      assert.equal(await inClusterNetwork(pair.first, count), "0");
    });

    it("cannot speak in another pod's name", async () => {
      const [a1, b1, b2] = await Promise.all([
        PodNetwork.of(pair.first, "tenant-a", "a-1"),
        PodNetwork.of(pair.first, "tenant-b", "b-1"),
        PodNetwork.of(pair.first, "tenant-b", "b-2"),
      ]);
      const reversePath = (value: 0 | 1): Promise<string> =>
        inClusterNetwork(
          pair.first,
          `for file in /proc/sys/net/ipv4/conf/*/rp_filter; do echo ${value} > $file; done`,
        );
      const receiver = await b2.serve(RECEIVE);
      await a1.run("ip", "address", "add", `${b1.address}/32`, "dev", "eth0");
      try {
        await a1.runScript(send(b1.address, b2.address, "forged"));
        await b1.runScript(send(b1.address, b2.address, "genuine"));
        assert.equal(await receiver.nextLine(), "genuine");
        // Without that one check of the kernel's the forged packet does arrive.
        await reversePath(0);
        await a1.runScript(send(b1.address, b2.address, "forged"));
        assert.equal(await receiver.nextLine(), "forged");
      } finally {
        await reversePath(1);
        await a1.run("ip", "address", "delete", `${b1.address}/32`, "dev", "eth0");
        receiver.stop();
      }
    });
  });
}
