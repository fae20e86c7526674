import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { V1Job } from "@kubernetes/client-node";
import { type DoctorReport, PROBE_NODE, runDoctor } from "../../src/doctor/doctor.ts";
import { ApiProxy, type Fate, type SeenRequest } from "./api-proxy.ts";
import { busybox, core, kubectl, oracleAccount, writeKubeconfig } from "./embedded-cluster.ts";
import { withoutPacketFilter } from "./packet-filter.ts";

/** Names of probes' namespaces. */
async function probeNamespaces(): Promise<string[]> {
  const { items } = await core().listNamespace({ labelSelector: `dekuper.io/node=${PROBE_NODE}` });
  return items
    .filter(({ status }) => status?.phase !== "Terminating")
    .map(({ metadata }) => metadata?.name ?? "");
}

async function leaveBehind(name: string): Promise<void> {
  const labels = { "app.kubernetes.io/managed-by": "dekuper", "dekuper.io/node": PROBE_NODE };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  await kubectl(["apply", "-f", "-"], JSON.stringify(namespace));
}

const failures = ({ checks }: DoctorReport): string[] =>
  checks.filter(({ ok }) => !ok).map(({ check, detail }) => `${check}: ${detail}`);
const namesOf = (lines: readonly string[]): string[] => lines.map((line) => line.split(":")[0] ?? "");

/** A kubeconfig of an account that may do nothing. */
async function strangersAccount(): Promise<string> {
  await kubectl(["create", "serviceaccount", "-n", "default", "stranger"]);
  const token = await kubectl(["create", "token", "-n", "default", "stranger"]);
  const { clusters } = JSON.parse(await kubectl(["config", "view", "--raw", "-o", "json"])) as {
    clusters: { cluster: object }[];
  };
  return writeKubeconfig("stranger", clusters[0]?.cluster ?? {}, token.trim());
}

/** As by a runtime that makes no user namespaces: a pod that asks for one comes to nothing. */
function endUserNamespaces(body: string): string {
  const job = JSON.parse(body) as V1Job;
  const pod = job.spec?.template.spec;
  if (job.spec === undefined || pod?.hostUsers !== false) return body;
  const never = { ...pod, nodeSelector: { "kubernetes.io/hostname": "none" } };
  return JSON.stringify({
    ...job,
    spec: { ...job.spec, activeDeadlineSeconds: 1, template: { ...job.spec.template, spec: never } },
  });
}

describe("the doctor", { concurrency: true }, () => {
  it("proves user-namespace isolation where everything is in force", async () => {
    await leaveBehind("dkp-probe-young");
    const report = await runDoctor({ kubeconfig: oracleAccount(), helperImage: busybox() });
    assert.deepEqual(failures(report), []);
    assert.equal(report.isolation, "user-namespace");
    const details = new Map(report.checks.map(({ check, detail }) => [check, detail]));
    assert.equal(details.get("gpus"), "2x NVIDIA-H100-80GB-HBM3");
    assert.match(details.get("gangs") ?? "", /PodGroup is served as scheduling\.k8s\.io/);
    assert.match(details.get("API server") ?? "", /^out of reach \(2 tried\)$/);
    assert.match(details.get("DNS") ?? "", /^no name is resolved$/);
    assert.ok((await probeNamespaces()).includes("dkp-probe-young"), "another doctor may be at work there");
  });

  it("removes what it made when it is interrupted", async () => {
    const proxy = await ApiProxy.open();
    const stop = new AbortController();
    proxy.decide = ({ method, path }) => {
      if (method === "PATCH" && path.endsWith("/jobs/run")) stop.abort();
      return "pass";
    };
    await assert.rejects(
      runDoctor({ kubeconfig: proxy.kubeconfig, helperImage: busybox(), signal: stop.signal }),
    );
    const made = proxy.seen.flatMap(
      ({ path }) => /^\/api\/v1\/namespaces\/(dkp-[^/]+)/.exec(path)?.[1] ?? [],
    );
    assert.equal(new Set(made).size, 2);
    const left = await probeNamespaces();
    assert.deepEqual(
      made.filter((name) => left.includes(name)),
      [],
    );
  });

  it("names the rights that an account lacks, and makes nothing with it", async () => {
    const report = await runDoctor({ kubeconfig: await strangersAccount(), helperImage: busybox() });
    assert.equal(report.isolation, "container");
    const rights = report.checks.find(({ check }) => check === "rights");
    assert.match(
      rights?.detail ?? "",
      /get namespaces.*create pods.*get pods\/log.*patch networkpolicies.*create jobs/,
    );
    assert.match(rights?.hint ?? "", /rbac\.yaml/);
  });

  it("says why when its image cannot be had", async () => {
    const helperImage = `localhost/missing@sha256:${"cd".repeat(32)}`;
    const report = await runDoctor({ kubeconfig: oracleAccount(), helperImage, startSeconds: 4 });
    assert.equal(report.isolation, "container");
    assert.match(failures(report).join("\n"), /ErrImagePull|ImagePullBackOff/);
  });
});

describe("the doctor of a cluster that enforces nothing", () => {
  it("says plainly what is not enforced, claims no more, and sweeps what killed ones left", async () => {
    const proxy = await ApiProxy.open();
    // An API server without the admission plugins takes every pod.
    const isDryRun = ({ method, path, query }: SeenRequest) =>
      method === "POST" && path.endsWith("/pods") && query.get("dryRun") === "All";
    proxy.decide = (request): Fate => {
      if (isDryRun(request)) return { status: 201, body: '{"kind":"Pod","spec":{"hostUsers":false}}' };
      const makesJob = request.method === "POST" && request.path.endsWith("/jobs");
      return makesJob ? { rewrite: endUserNamespaces } : "pass";
    };
    await leaveBehind("dkp-probe-left");
    await sleep(2_100);
    const report = await withoutPacketFilter(() =>
      runDoctor({ kubeconfig: proxy.kubeconfig, helperImage: busybox(), staleAfterSeconds: 1 }),
    );
    assert.deepEqual(namesOf(failures(report)).sort(), [
      "API server",
      "DNS",
      "from other pods",
      "kubelet",
      "other pods",
      "pod security",
      "quota",
      "user namespace",
    ]);
    assert.equal(report.isolation, "container");
    const pods = report.checks.find(({ check }) => check === "other pods");
    assert.match(pods?.hint ?? "", /^Pods reach each other: install a NetworkPolicy controller/);
    assert.match(report.checks.find(({ check }) => check === "pod security")?.detail ?? "", /privileged/);
    assert.deepEqual(await probeNamespaces(), []);
  });
});
