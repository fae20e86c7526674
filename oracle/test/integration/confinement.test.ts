import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { V1Pod } from "@kubernetes/client-node";
import { busybox, core, kubectl, see } from "./embedded-cluster.ts";
import { anOrder, begin, collect, dismiss, openDriver, sh, soon } from "./leases.ts";

/** A pod of somebody else, in a namespace that nothing fences, which answers on a port. */
const NEIGHBOUR = "neighbour";
const PORT = 8080;

function neighbourPod(name: string, script: string): unknown {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NEIGHBOUR },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "main", image: busybox(), command: ["sh", "-c", script] }],
    },
  };
}

/** What the pod of a lease finds when it looks around, one fact a line; run by the task's own command. */
const lookAround = `
say() { echo "$1 $2"; }
say uid "$(id -u)"; say gid "$(id -g)"
while read -r key value _; do case $key in CapEff:|CapBnd:|NoNewPrivs:|Seccomp:) say "$key" "$value";; esac; done </proc/self/status
read -r _ host _ </proc/self/uid_map; say uid-0-is "$host"
for place in / /etc /usr /root /dekuper/bin /dekuper/control /input; do
  touch "$place/x" 2>/dev/null && say writable "$place"
done
for place in /output /checkpoint /tmp /dev/shm; do touch "$place/x" && say writable "$place"; done
dd if=/dev/zero of=/dev/shm/fill bs=1M count=200 2>/dev/null; say shm-MiB "$(($(stat -c %s /dev/shm/fill) >> 20))"
rm /dev/shm/fill
[ -e /var/run/secrets ] && say found secrets
say gpus "$NVIDIA_VISIBLE_DEVICES"
say reserved "$NNODES $NODE_RANK $MASTER_ADDR $PET_NPROC_PER_NODE $ATTEMPT"
mount -t tmpfs none /tmp 2>/dev/null && say can mount
unshare -n true 2>/dev/null && say can unshare
ls /proc/1/root/ >/dev/null 2>&1; ps -o pid | grep -c . | while read -r lines; do say processes "$lines"; done
while read -r address _ _ scope _; do [ "$scope" = 00 ] && say has "$address"; done </proc/net/if_inet6
own=$(ip -4 -o addr show dev eth0 | awk '{split($4, a, "/"); print a[1]}')
nc -l -p ${PORT} </dev/null >/dev/null & sleep 0.3
nc -w 3 "$own" ${PORT} </dev/null && say control "reaches itself"
for target in "$@"; do
  ( nc -w 3 "\${target% *}" "\${target#* }" </dev/null 2>/dev/null && say reached "$target" ) &
done
( nslookup kubernetes.default.svc.cluster.local >/dev/null 2>&1 && say resolved by-default ) &
( timeout 5 nslookup kubernetes.default.svc.cluster.local "$DNS" >/dev/null 2>&1 && say resolved at-the-cluster ) &
wait
`;

/** The facts of one run, by name. */
async function factsOf(targets: readonly string[], dns: string): Promise<Map<string, string[]>> {
  const driver = await openDriver();
  const command = [...sh(lookAround), "look", ...targets];
  const order = anOrder({ command, env: { DNS: dns }, image: busybox() });
  await begin(driver, order, "exited");
  const text = (await collect(driver.readLog(order, { follow: false }, soon()))).toString();
  await dismiss(order);
  const facts = new Map<string, string[]>();
  for (const line of text.split("\n").filter(Boolean)) {
    const [, name = "", value = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    facts.set(name, [...(facts.get(name) ?? []), value]);
  }
  return facts;
}

describe("what a task can see and do in its pod", { concurrency: true }, () => {
  let facts: Map<string, string[]>;
  let neighbour = "";
  let dns = "";

  before(async () => {
    await kubectl(["create", "namespace", NEIGHBOUR]);
    const pods = [
      neighbourPod("listener", `nc -lk -p ${PORT} -e true || while :; do nc -l -p ${PORT} </dev/null; done`),
      neighbourPod("client", "sleep 600"),
    ];
    await kubectl(["apply", "-f", "-"], JSON.stringify({ apiVersion: "v1", kind: "List", items: pods }));
    await kubectl(["wait", "-n", NEIGHBOUR, "pod", "--all", "--for=condition=Ready", "--timeout=60s"]);
    neighbour = (await see<V1Pod>("pod", "-n", NEIGHBOUR, "listener")).status?.podIP ?? "";
    const [node] = (await core().listNode()).items;
    const address = node?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "";
    const service =
      (await core().readNamespacedService({ name: "kubernetes", namespace: "default" })).spec?.clusterIP ??
      "";
    const gateway = address.replace(/\d+$/, "1");
    dns = address;
    const targets = [
      `${neighbour} ${PORT}`,
      `${address} 6443`,
      `${address} 10250`,
      `${service} 443`,
      `${gateway} 22`,
      "169.254.169.254 80",
      "100.64.0.1 80",
      "1.1.1.1 443",
      "fd00:ec2::254 80",
      "2606:4700:4700::1111 443",
    ];
    facts = await factsOf(targets, address);
  });

  const only = (name: string) => facts.get(name)?.join(", ");

  it("runs as nobody in particular, without capabilities, under seccomp, in a user namespace", () => {
    assert.equal(only("uid"), "1000");
    assert.equal(only("gid"), "1000");
    assert.equal(only("CapEff:"), "0000000000000000");
    assert.equal(only("CapBnd:"), "0000000000000000");
    assert.equal(only("NoNewPrivs:"), "1");
    assert.equal(only("Seccomp:"), "2");
    assert.ok(Number(only("uid-0-is")) > 0, "root of the pod is root of the node");
    assert.equal(only("can"), undefined);
  });

  it("writes where its output goes and nowhere else, and no more to /dev/shm than its share of memory", () => {
    assert.equal(only("writable"), "/output, /checkpoint, /tmp, /dev/shm");
    assert.ok(Number(only("shm-MiB")) <= 64);
    assert.ok(Number(only("shm-MiB")) >= 32);
  });

  it("has no token, and no GPU that it did not order", () => {
    assert.equal(only("found"), undefined);
    assert.equal(only("gpus"), "void");
    assert.equal(only("reserved"), "1 0 127.0.0.1 1 1");
  });

  it("sees its own processes only", () => {
    assert.ok(Number(only("processes")) < 12, `${only("processes")} processes`);
  });

  it("reaches nobody: no metadata, no API server, no kubelet, no other pod, no outside, no IPv6", async () => {
    assert.equal(only("control"), "reaches itself");
    const client = ["exec", "-n", NEIGHBOUR, "client", "--", "sh", "-c"];
    await kubectl([...client, `nc -w 3 ${neighbour} ${PORT} </dev/null`]);
    assert.equal(only("reached"), undefined);
    assert.equal(only("has"), undefined);
  });

  it("resolves no name, not even by asking the cluster's DNS itself", async () => {
    const ask = `nslookup kubernetes.default.svc.cluster.local ${dns}`;
    await kubectl(["exec", "-n", NEIGHBOUR, "client", "--", "sh", "-c", ask]);
    assert.equal(only("resolved"), undefined);
  });

  it("is reached by nobody", async () => {
    const driver = await openDriver();
    const order = anOrder({ command: sh(`while :; do nc -l -p ${PORT} </dev/null; done`) });
    const { namespace, podName = "" } = await begin(driver, order);
    const pod = await see<V1Pod>("pod", "-n", namespace, podName);
    const from = (where: readonly string[], address: string) =>
      kubectl([...where, "--", "sh", "-c", `nc -w 3 ${address} ${PORT} </dev/null`]);
    await from(["exec", "-n", namespace, podName, "-c", "main"], pod.status?.podIP ?? "");
    await assert.rejects(from(["exec", "-n", NEIGHBOUR, "client"], pod.status?.podIP ?? ""));
    await dismiss(order);
  });

  it("is refused more than it ordered: another pod, privileges, the node's files", async () => {
    const driver = await openDriver();
    const order = anOrder();
    const { namespace } = await begin(driver, order);
    const dryRun = (spec: object) =>
      kubectl(
        ["create", "--dry-run=server", "-n", namespace, "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: { name: "more" }, spec }),
      );
    const container = { name: "main", image: busybox() };
    const hostPath = [{ name: "host", hostPath: { path: "/" } }];
    await assert.rejects(
      dryRun({ containers: [{ ...container, securityContext: { privileged: true } }] }),
      /PodSecurity/,
    );
    await assert.rejects(dryRun({ hostNetwork: true, containers: [container] }), /PodSecurity/);
    await assert.rejects(dryRun({ containers: [container], volumes: hostPath }), /PodSecurity/);
    const limits = { cpu: "1", memory: "16Mi", "ephemeral-storage": "1Mi" };
    const securityContext = {
      allowPrivilegeEscalation: false,
      runAsNonRoot: true,
      runAsUser: 1000,
      capabilities: { drop: ["ALL"] },
      seccompProfile: { type: "RuntimeDefault" },
    };
    await assert.rejects(
      dryRun({ containers: [{ ...container, securityContext, resources: { limits } }] }),
      /exceeded quota/,
    );
    await dismiss(order);
  });
});
