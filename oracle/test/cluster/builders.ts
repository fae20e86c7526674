import type { TaskSpec } from "@dekuper/protocol";
import { renderJob } from "../../src/cluster/attempt-job.ts";
import type { AttemptOrder } from "../../src/cluster/driver.ts";
import { annotations, attemptLabels, namespaceOf } from "../../src/cluster/names.ts";
import type { WireJob, WireNamespace, WirePod } from "../../src/cluster/observe.ts";
import { attemptResources } from "../../src/cluster/resources.ts";
import { aTaskSpec } from "../task-spec.ts";

export const node = `0x${"ab".repeat(20)}` as const;
export const helperImage = `localhost/dekuper/busybox@sha256:${"cd".repeat(32)}`;

export function anOrder(
  change: Partial<TaskSpec> = {},
  resources: Partial<TaskSpec["resources"]> = {},
): AttemptOrder {
  return {
    chainId: 31337,
    registry: `0x${"11".repeat(20)}`,
    leaseId: `0x${"22".repeat(32)}`,
    attempt: 1,
    taskId: `0x${"33".repeat(32)}`,
    runSeconds: 60,
    deadlineSeconds: 200,
    spec: aTaskSpec({ command: ["sh", "-c", "true"], ...change }, resources),
  };
}

export function jobOf(
  order = anOrder(),
  options: { userNamespaces?: boolean; cpuRequestShare?: number } = {},
) {
  const job = renderJob(
    node,
    order,
    attemptResources(order.spec, options.cpuRequestShare),
    { helperImage, userNamespaces: options.userNamespaces ?? true, inputsTimeoutSeconds: 100 },
    true,
  );
  const pod = job.spec?.template.spec;
  if (pod === undefined) throw new Error("a job without a pod");
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  const main = containers.find(({ name }) => name === "main");
  if (main === undefined) throw new Error("a pod without main");
  return { job, pod, containers, main };
}

/** What the API server shows of an attempt's objects. */
export function aNamespace(
  change: { jobUid?: string | undefined; deleted?: boolean } = { jobUid: "j1" },
): WireNamespace {
  const { chainId, registry, leaseId, attempt, taskId } = anOrder();
  return {
    metadata: {
      name: namespaceOf({ leaseId, attempt }),
      creationTimestamp: "2026-01-01T00:00:00Z",
      labels: attemptLabels(node, { leaseId, attempt }),
      annotations: {
        [annotations.chainId]: String(chainId),
        [annotations.registry]: registry,
        [annotations.taskId]: taskId,
        [annotations.leaseId]: leaseId,
        [annotations.attempt]: String(attempt),
        ...(change.jobUid === undefined ? {} : { [annotations.jobUid]: change.jobUid }),
      },
      ...(change.deleted ? { deletionTimestamp: "2026-01-01T00:01:00Z" } : {}),
    },
  } as WireNamespace;
}

export function aJob(status: object = {}): WireJob {
  return { metadata: { uid: "j1" }, spec: { suspend: false }, status } as WireJob;
}

type State = object | undefined;

export const running = { running: { startedAt: "2026-01-01T00:00:10Z" } };
export const waiting = (reason: string) => ({ waiting: { reason } });
export const terminated = (
  exitCode: number,
  reason = exitCode === 0 ? "Completed" : "Error",
  message = "",
) => ({
  terminated: {
    exitCode,
    reason,
    message,
    startedAt: "2026-01-01T00:00:10Z",
    finishedAt: "2026-01-01T00:00:30Z",
  },
});

/** A pod whose containers are in these states. */
export function aPod(
  states: { inputs?: State; main?: State; helper?: State },
  status: object = { phase: "Running" },
  metadata: object = {},
): WirePod {
  const container = (name: string, state: State) => ({
    name,
    state,
    imageID: `ghcr.io/org/image@sha256:${"ef".repeat(32)}`,
  });
  return {
    metadata: { name: "run-0-x", uid: "p1", ...metadata },
    status: {
      conditions: [{ type: "PodScheduled", status: "True", lastTransitionTime: "2026-01-01T00:00:05Z" }],
      initContainerStatuses: [container("inputs", states.inputs ?? terminated(0))],
      containerStatuses: [container("main", states.main), container("helper", states.helper)],
      ...status,
    },
  } as WirePod;
}
