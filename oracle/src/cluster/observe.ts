import type { V1ContainerStatus, V1Job, V1Namespace, V1Pod } from "@kubernetes/client-node";
import type { Hex } from "viem";
import type { AttemptObservation, AttemptStage } from "./driver.ts";
import type { Wire } from "./kubernetes-api.ts";
import { annotations, attemptOf, names } from "./names.ts";
import { MESSAGE_TAG } from "./scripts.ts";

export type WirePod = Wire<V1Pod>;
export type WireJob = Wire<V1Job>;
export type WireNamespace = Wire<V1Namespace>;
type WireContainer = Wire<V1ContainerStatus>;

/**
 * What an attempt's objects say together; pure. Undefined for a namespace that no oracle made, and for one whose Job was
 * never made (the next `ensureAttempt` goes on from there).
 */
export function observationOf(
  namespace: WireNamespace,
  job: WireJob | undefined,
  pod: WirePod | undefined,
): AttemptObservation | undefined {
  const ref = attemptOf(namespace.metadata?.annotations);
  const name = namespace.metadata?.name;
  if (ref === undefined || name === undefined) return undefined;
  const hadJob = namespace.metadata?.annotations?.[annotations.jobUid] !== undefined;
  if (job === undefined && pod === undefined && !hadJob) return undefined;
  const main = pod === undefined ? undefined : containerOf(pod, names.main);
  const ended = main?.state?.terminated;
  const message = wrapperMessage(ended?.message);
  const { stage, reason } = stageOf(job, pod);
  const startedAt = seconds(ended?.startedAt ?? main?.state?.running?.startedAt);
  const scheduled = pod?.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "True",
  );
  const imageDigest = digestOf(main?.imageID);
  return {
    ...ref,
    namespace: name,
    stage,
    terminating:
      namespace.metadata?.deletionTimestamp !== undefined || pod?.metadata?.deletionTimestamp !== undefined,
    createdAt: seconds(namespace.metadata?.creationTimestamp) ?? 0,
    ...optional("reason", reason),
    ...optional("podUid", pod?.metadata?.uid),
    ...optional("podName", pod?.metadata?.name),
    ...optional("scheduledAt", seconds(scheduled?.lastTransitionTime)),
    ...optional("startedAt", startedAt),
    ...optional("finishedAt", seconds(ended?.finishedAt)),
    ...optional("exitCode", ended === undefined ? undefined : ended.exitCode),
    ...(ended === undefined
      ? {}
      : {
          outOfMemory: ended.reason === "OOMKilled" && ended.exitCode !== 0,
          timeLimit: message === "time-limit",
        }),
    ...optional("imageDigest", imageDigest),
  };
}

/** Where the pod stands. A pod that ended with its helper can give nothing back any more. */
function stageOf(
  job: WireJob | undefined,
  pod: WirePod | undefined,
): { stage: AttemptStage; reason: string | undefined } {
  if (pod === undefined) {
    if (job === undefined) return { stage: "gone", reason: "JobDeleted" };
    const failed = job.status?.conditions?.find(
      ({ type, status }) => (type === "Failed" || type === "Complete") && status === "True",
    );
    const hadPod = (job.status?.failed ?? 0) + (job.status?.succeeded ?? 0) > 0;
    return failed !== undefined || hadPod
      ? { stage: "gone", reason: failed?.reason ?? "PodDeleted" }
      : { stage: "pending", reason: undefined };
  }
  if (pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded") {
    return { stage: "gone", reason: pod.status.reason ?? pod.status.phase };
  }
  const main = containerOf(pod, names.main)?.state;
  const helper = containerOf(pod, names.helper)?.state;
  if (main?.terminated !== undefined) {
    return helper?.running !== undefined
      ? { stage: "exited", reason: main.terminated.reason }
      : { stage: "gone", reason: helper?.terminated?.reason ?? "HelperEnded" };
  }
  if (main?.running !== undefined) return { stage: "running", reason: undefined };
  const inputs = pod.status?.initContainerStatuses?.find(({ name }) => name === names.inputs)?.state;
  if (inputs?.running !== undefined) return { stage: "awaiting-inputs", reason: undefined };
  return { stage: "pending", reason: waitingReason(pod) };
}

function waitingReason(pod: WirePod): string | undefined {
  const all = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const waiting = all
    .map(({ state }) => state?.waiting?.reason)
    .find((reason) => reason !== undefined && reason !== "PodInitializing");
  const unscheduled = pod.status?.conditions?.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  );
  return waiting ?? unscheduled?.reason;
}

function containerOf(pod: WirePod, wanted: string): WireContainer | undefined {
  return pod.status?.containerStatuses?.find(({ name }) => name === wanted);
}

/** The wrapper's reason: `exited`, `time-limit` or `stopped`. */
function wrapperMessage(message: string | undefined): string | undefined {
  const [tag, why] = message?.split(/\s+/) ?? [];
  return tag === MESSAGE_TAG ? why : undefined;
}

function digestOf(imageId: string | undefined): Hex | undefined {
  const hex = /sha256:([0-9a-f]{64})$/.exec(imageId ?? "")?.[1];
  return hex === undefined ? undefined : `0x${hex}`;
}

function seconds(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Math.floor(Date.parse(time) / 1000);
}

function optional<Key extends string, Value>(key: Key, value: Value | undefined): { [key in Key]?: Value } {
  return (value === undefined ? {} : { [key]: value }) as { [key in Key]?: Value };
}

/** CPU seconds of the task's processes, as the wrapper's `times` printed them; undefined if the message is not the wrapper's. */
export function cpuSecondsOf(message: string | undefined): number | undefined {
  if (wrapperMessage(message) === undefined) return undefined;
  const times = [...(message ?? "").matchAll(/(\d+)m(\d+(?:\.\d+)?)s/g)];
  return times.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0);
}
