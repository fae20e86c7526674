import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { renderFences, renderNamespace } from "../../src/cluster/attempt-objects.ts";
import { quantity } from "../../src/cluster/capacity.ts";
import { attemptResources } from "../../src/cluster/resources.ts";
import { wrapperScript } from "../../src/cluster/scripts.ts";
import { anOrder, jobOf, node } from "./builders.ts";
import { expand } from "./kubernetes-expansion.ts";

const fencesOf = (order = anOrder(), cpuRequestShare?: number) => {
  const fences = renderFences(node, order, attemptResources(order.spec, cpuRequestShare));
  const of = (kind: string) => {
    const found = fences.find((fence) => fence.kind === kind);
    assert.ok(found !== undefined, `there is a ${kind}`);
    return found as {
      metadata?: object;
      spec?: Record<string, unknown>;
      automountServiceAccountToken?: boolean;
    };
  };
  return { fences, of };
};
const envOf = (order = anOrder()) => jobOf(order).main.env ?? [];
/** The last of two variables of one name is the one that a container sees. */
const valuesOf = (order = anOrder()): Record<string, string> =>
  Object.fromEntries(envOf(order).map(({ name, value }) => [name, value ?? ""]));

describe("an attempt's namespace", () => {
  it("has pod security `restricted` enforced by the API server", () => {
    const labels = renderNamespace(node, anOrder()).metadata?.labels ?? {};
    assert.equal(labels["pod-security.kubernetes.io/enforce"], "restricted");
  });

  it("says whose it is: labels that can be selected, ids in full as annotations", () => {
    const order = anOrder();
    const { labels = {}, annotations = {} } = renderNamespace(node, order).metadata ?? {};
    for (const value of Object.values(labels)) assert.match(value, /^[A-Za-z0-9._-]{1,63}$/);
    assert.equal(labels["dekuper.io/node"], node);
    assert.equal(annotations["dekuper.io/lease-id"], order.leaseId);
    assert.equal(annotations["dekuper.io/job-uid"], undefined);
    assert.equal(renderNamespace(node, order, "u").metadata?.annotations?.["dekuper.io/job-uid"], "u");
  });

  it("has a name of its own for each attempt of each lease", () => {
    const nameOf = (change: object) => renderNamespace(node, { ...anOrder(), ...change }).metadata?.name;
    const names = [nameOf({}), nameOf({ attempt: 2 }), nameOf({ leaseId: `0x${"44".repeat(32)}` })];
    assert.equal(new Set(names).size, 3);
    for (const name of names) assert.match(name ?? "", /^dkp-[0-9a-f]{16}$/);
  });
});

describe("what stands before the first pod", () => {
  it("is a policy that allows nothing in and nothing out, for every pod", () => {
    const { spec } = fencesOf().of("NetworkPolicy");
    assert.deepEqual(spec, { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  });

  it("is an account without a token", () => {
    assert.equal(fencesOf().of("ServiceAccount").automountServiceAccountToken, false);
  });

  it("is a quota of exactly one pod of the ordered size, and no service, secret or volume", () => {
    const { hard } = fencesOf(anOrder({}, { gpus: 2 })).of("ResourceQuota").spec as {
      hard: Record<string, string>;
    };
    assert.equal(hard.pods, "1");
    for (const none of ["services", "secrets", "persistentvolumeclaims"]) assert.equal(hard[none], "0");
    assert.equal(hard["limits.cpu"], "2500m");
    assert.equal(hard["limits.memory"], "544Mi");
    assert.equal(hard["requests.nvidia.com/gpu"], "2");
  });

  it("lets the pod in, whatever was ordered: its containers' sums fit the quota and each fits the range", () => {
    const sizes = fc.record({
      vCpus: fc.integer({ min: 1, max: 4096 }),
      memoryMiB: fc.integer({ min: 16, max: 1 << 20 }),
      storageMiB: fc.integer({ min: 1, max: 1 << 20 }),
      gpus: fc.integer({ min: 0, max: 8 }),
    });
    fc.assert(
      fc.property(sizes, fc.double({ min: 0.01, max: 1, noNaN: true }), (resources, cpuRequestShare) => {
        const order = anOrder({}, resources);
        const { of } = fencesOf(order, cpuRequestShare);
        const { hard } = of("ResourceQuota").spec as { hard: Record<string, string> };
        const { limits } = of("LimitRange").spec as { limits: { max: Record<string, string> }[] };
        const { pod, containers } = jobOf(order, { cpuRequestShare });
        for (const kind of ["requests", "limits"] as const)
          for (const resource of ["cpu", "memory", "ephemeral-storage"]) {
            const ask = pod.containers.map(({ resources }) => quantity(resources?.[kind]?.[resource] ?? "x"));
            assert.ok(
              ask.reduce((sum, one) => sum + one) <= quantity(hard[`${kind}.${resource}`] ?? "x") + 1e-9,
            );
          }
        for (const { resources } of containers)
          for (const [resource, most] of Object.entries(limits[0]?.max ?? {}))
            assert.ok(quantity(resources?.limits?.[resource] ?? "x") <= quantity(most), resource);
      }),
    );
  });

  it("is ours by its labels, all of it", () => {
    for (const { metadata } of fencesOf().fences)
      assert.equal(metadata?.labels?.["app.kubernetes.io/managed-by"], "dekuper");
  });
});

describe("an attempt's job", () => {
  it("runs once, made suspended, and ends without the oracle", () => {
    const { job } = jobOf();
    assert.equal(job.spec?.suspend, true);
    assert.equal(job.spec?.backoffLimit, 0);
    assert.equal(job.spec?.completions, 1);
    assert.equal(job.spec?.activeDeadlineSeconds, 200);
    assert.equal(job.spec?.template.spec?.restartPolicy, "Never");
  });

  it("shares nothing with the host: no network, process, ipc namespace, path or port of it", () => {
    const { pod, containers } = jobOf(anOrder({}, { gpus: 1, gpuModel: "NVIDIA-H100" }));
    for (const shared of ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"] as const)
      assert.ok(!pod[shared], shared);
    for (const { ports } of containers) assert.equal(ports, undefined);
    for (const volume of pod.volumes ?? [])
      assert.deepEqual(Object.keys(volume).toSorted(), ["emptyDir", "name"]);
  });

  it("has a user namespace of its own where the cluster takes it", () => {
    assert.equal(jobOf().pod.hostUsers, false);
    assert.equal(jobOf(anOrder(), { userNamespaces: false }).pod.hostUsers, undefined);
  });

  it("has no token, no service links and no resolver", () => {
    const { pod } = jobOf();
    assert.equal(pod.automountServiceAccountToken, false);
    assert.equal(pod.enableServiceLinks, false);
    assert.equal(pod.dnsPolicy, "None");
  });

  it("locks every container: no capability, no escalation, not root, a root that cannot be written, seccomp", () => {
    const { pod, containers } = jobOf();
    assert.equal(pod.securityContext?.runAsNonRoot, true);
    assert.notEqual(pod.securityContext?.runAsUser, 0);
    assert.equal(containers.length, 3);
    for (const { name, securityContext } of containers) {
      assert.deepEqual(securityContext?.capabilities, { drop: ["ALL"] }, name);
      assert.equal(securityContext?.allowPrivilegeEscalation, false);
      assert.equal(securityContext?.privileged, false);
      assert.equal(securityContext?.readOnlyRootFilesystem, true);
      assert.equal(securityContext?.seccompProfile?.type, "RuntimeDefault");
    }
  });

  it("is alone unless it is a member of a gang: then it knows its rank", () => {
    const of = (order: ReturnType<typeof anOrder>) => {
      const { NNODES, NODE_RANK, PET_NNODES, PET_NODE_RANK, ATTEMPT } = valuesOf(order);
      return [NNODES, NODE_RANK, PET_NNODES, PET_NODE_RANK, ATTEMPT];
    };
    assert.deepEqual(of(anOrder()), ["1", "0", "1", "0", "1"]);
    const member = { ...anOrder(), attempt: 2, rank: { index: 2, count: 4 } };
    assert.deepEqual(of(member), ["4", "2", "4", "2", "2"]);
  });

  it("waits for what will be sent: inputs, or a checkpoint to go on from", () => {
    const waits = (order: ReturnType<typeof anOrder>) =>
      jobOf(order).pod.initContainers?.[0]?.command?.at(-1) === "0";
    assert.equal(waits(anOrder()), false);
    assert.equal(waits({ ...anOrder(), resumes: true }), true);
    const input = { path: "a", digest: `0x${"01".repeat(32)}` as const, size: 1 };
    assert.equal(waits(anOrder({ inputs: [input] })), true);
  });

  it("lets the task write its output, checkpoints, /tmp and /dev/shm, and nothing of ours", () => {
    const writable = jobOf().main.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
    assert.deepEqual(writable?.map(({ mountPath }) => mountPath).toSorted(), [
      "/checkpoint",
      "/dev/shm",
      "/output",
      "/tmp",
    ]);
  });

  it("bounds every volume, and charges /dev/shm to the task's memory", () => {
    for (const memoryMiB of [16, 64, 100, 4096]) {
      const { pod, main } = jobOf(anOrder({}, { memoryMiB }));
      for (const { emptyDir } of pod.volumes ?? []) assert.ok(quantity(emptyDir?.sizeLimit ?? "x") > 0);
      const shm = pod.volumes?.find(({ name }) => name === "shm")?.emptyDir;
      assert.equal(shm?.medium, "Memory");
      const limit = quantity(main.resources?.limits?.memory ?? "x");
      assert.equal(limit, memoryMiB * 2 ** 20, "the ordered memory is all there is");
      assert.ok(quantity(shm?.sizeLimit ?? "x") <= limit);
    }
  });

  it("asks for a GPU of the ordered model, or for none", () => {
    const { pod, main } = jobOf(anOrder({}, { gpus: 2, gpuModel: "NVIDIA-H100-80GB-HBM3" }));
    assert.equal(main.resources?.limits?.["nvidia.com/gpu"], "2");
    assert.deepEqual(pod.nodeSelector, { "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3" });
    assert.equal(jobOf().main.resources?.limits?.["nvidia.com/gpu"], undefined);
    assert.equal(jobOf().pod.nodeSelector, undefined);
  });
});

describe("a task's environment", () => {
  it("hides all GPUs where none is ordered, whatever the image says", () => {
    assert.equal(valuesOf().NVIDIA_VISIBLE_DEVICES, "void");
    assert.equal(valuesOf(anOrder({}, { gpus: 1 })).NVIDIA_VISIBLE_DEVICES, undefined);
  });

  it("is never the task's to decide where Dekuper decides, even if a spec slipped through", () => {
    const names = ["NNODES", "NODE_RANK", "MASTER_ADDR", "PET_NNODES", "ATTEMPT", "CHECKPOINT_DIR"];
    const env = Object.fromEntries([...names, "NVIDIA_VISIBLE_DEVICES"].map((name) => [name, "mine"]));
    const values = valuesOf(anOrder({ env }));
    for (const name of [...names, "NVIDIA_VISIBLE_DEVICES"]) assert.notEqual(values[name], "mine", name);
    assert.equal(values.CHECKPOINT_DIR, "/checkpoint");
    assert.equal(values.ATTEMPT, "1");
  });

  it("gives a home and a user unless the task brings its own", () => {
    assert.equal(valuesOf().HOME, "/tmp");
    const env = envOf(anOrder({ env: { HOME: "/output" } }));
    assert.deepEqual(
      env.filter(({ name }) => name === "HOME"),
      [{ name: "HOME", value: "/output" }],
    );
  });

  it("reaches the container as it was written, with every $", () => {
    for (const text of [
      "$(HOME)",
      "$$",
      "echo $$ $(date) $X $",
      "$$(HOME)",
      "$$$(ATTEMPT)$$",
      "a$(",
      "plain",
    ]) {
      const order = anOrder({ command: ["sh", "-c", text], env: { MINE: text } });
      const known = { ...valuesOf(order), HOME: "/tmp" };
      const command = jobOf(order).main.command ?? [];
      assert.equal(expand(command.at(-1) ?? "", known), text);
      assert.equal(expand(valuesOf(order).MINE ?? "", known), text);
    }
  });

  it("reaches the container as it was written, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("$", "(", ")", "A", "T", " ") }), (text) => {
        const command = jobOf(anOrder({ command: [text] })).main.command ?? [];
        assert.equal(expand(command.at(-1) ?? "", { A: "wrong", T: "wrong", "": "wrong" }), text);
      }),
    );
  });

  it("leaves the wrapper's script as it is: no variable of a task has a name that stands in it", () => {
    const command = jobOf().main.command ?? [];
    assert.equal(expand(command[3] ?? "", valuesOf()), wrapperScript);
    const named = [...wrapperScript.matchAll(/\$\(([^)]*)\)/g)].map(([, name]) => name ?? "");
    for (const name of named) assert.doesNotMatch(name, /^[A-Za-z_][A-Za-z0-9_]*$/);
  });
});

describe("a Kubernetes quantity", () => {
  const known: [string, number][] = [
    ["0", 0],
    ["2", 2],
    ["1500m", 1.5],
    ["0.5", 0.5],
    [".5", 0.5],
    ["250000000n", 0.25],
    ["3u", 3e-6],
    ["1k", 1000],
    ["64Mi", 64 * 2 ** 20],
    ["32876536Ki", 32_876_536 * 1024],
    ["2Pi", 2 * 2 ** 50],
    ["1Ei", 2 ** 60],
    ["12E", 12e18],
    ["1e3", 1000],
    ["12E2", 1200],
    ["1e-3", 0.001],
    ["+5", 5],
  ];
  for (const [text, value] of known) it(`${text} is ${value}`, () => assert.equal(quantity(text), value));

  it("is not a number where it is none", () => {
    for (const text of ["", "Mi", "1 Gi", "1gi", "1KB", "x"]) assert.ok(Number.isNaN(quantity(text)), text);
  });
});
