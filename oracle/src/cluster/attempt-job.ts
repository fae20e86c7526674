import type { TaskSpec } from "@dekuper/protocol";
import type {
  V1Container,
  V1EnvVar,
  V1Job,
  V1PodSpec,
  V1SecurityContext,
  V1Volume,
} from "@kubernetes/client-node";
import type { Hex } from "viem";
import type { AttemptOrder } from "./driver.ts";
import { attemptLabels, names, namespaceOf } from "./names.ts";
import { type AttemptResources, GPU, inputsMiB, shmMiB } from "./resources.ts";
import { holdScript, KILL_AFTER_SECONDS, prepareScript, taskPaths, wrapperScript } from "./scripts.ts";

/** How a provider's cluster wants its pods. */
export interface PodOptions {
  /** busybox with sh, tar, dd and sha256sum, by digest. */
  readonly helperImage: string;
  /** Whether pods get a user namespace of their own (`hostUsers: false`). */
  readonly userNamespaces: boolean;
  /** Seconds that the pod waits for its inputs. */
  readonly inputsTimeoutSeconds: number;
}

/** Tasks and helper run as this user and group; in a user namespace it is nobody on the host. */
const USER_ID = 1000;
/** torchrun's own default port. */
const MASTER_PORT = "29500";

/**
 * The attempt's Job: one pod, tried once. It is made suspended, so that the namespace can name it before anything runs.
 * `activeDeadlineSeconds` ends it without the oracle (rule 30).
 */
export function renderJob(
  node: Hex,
  order: AttemptOrder,
  resources: AttemptResources,
  options: PodOptions,
  suspend: boolean,
): V1Job {
  const labels = attemptLabels(node, order);
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: names.job, namespace: namespaceOf(order), labels },
    spec: {
      suspend,
      completionMode: "Indexed",
      completions: 1,
      parallelism: 1,
      backoffLimit: 0,
      activeDeadlineSeconds: order.deadlineSeconds,
      template: { metadata: { labels }, spec: renderPod(order, resources, options) },
    },
  };
}

function renderPod(order: AttemptOrder, resources: AttemptResources, options: PodOptions): V1PodSpec {
  const { spec } = order;
  return {
    restartPolicy: "Never",
    serviceAccountName: names.serviceAccount,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(options.userNamespaces ? { hostUsers: false } : {}),
    // Nothing is reachable, names neither: a look-up fails at once instead of waiting for a resolver that never answers.
    dnsPolicy: "None",
    dnsConfig: { nameservers: ["127.0.0.1"], options: [{ name: "attempts", value: "1" }] },
    terminationGracePeriodSeconds: KILL_AFTER_SECONDS,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: USER_ID,
      runAsGroup: USER_ID,
      fsGroup: USER_ID,
      seccompProfile: { type: "RuntimeDefault" },
    },
    ...(spec.resources.gpus > 0 && spec.resources.gpuModel !== ""
      ? { nodeSelector: { "nvidia.com/gpu.product": spec.resources.gpuModel } }
      : {}),
    ...(spec.resources.gpus > 0
      ? { tolerations: [{ key: GPU, operator: "Exists", effect: "NoSchedule" }] }
      : {}),
    initContainers: [inputsContainer(order, resources, options)],
    // Started in this order: a task that takes every process at once would leave none to start the helper with.
    containers: [helperContainer(resources, options), mainContainer(order, resources)],
    volumes: volumes(spec),
  };
}

/** Pod security `restricted`, container's part, and a root file system that nobody can change. */
export const locked: V1SecurityContext = {
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

function inputsContainer(
  { spec, resumes = false }: AttemptOrder,
  { helper }: AttemptResources,
  options: PodOptions,
): V1Container {
  const noInputs = spec.inputs.length === 0 && !resumes ? "1" : "0";
  return {
    name: names.inputs,
    image: options.helperImage,
    imagePullPolicy: "IfNotPresent",
    command: [
      "/bin/busybox",
      "sh",
      "-c",
      prepareScript,
      "inputs",
      String(options.inputsTimeoutSeconds),
      noInputs,
    ],
    securityContext: locked,
    resources: helper,
    volumeMounts: [
      { name: "bin", mountPath: "/dekuper/bin" },
      { name: "control", mountPath: "/dekuper/control" },
      { name: "input", mountPath: taskPaths.input },
      { name: "checkpoint", mountPath: taskPaths.checkpoint },
    ],
  };
}

function mainContainer(order: AttemptOrder, { main }: AttemptResources): V1Container {
  const { spec, runSeconds } = order;
  return {
    name: names.main,
    image: spec.image,
    imagePullPolicy: "IfNotPresent",
    command: [
      "/dekuper/bin/busybox",
      "sh",
      "-c",
      wrapperScript,
      "dekuper",
      String(runSeconds),
      String(Math.ceil(spec.output.maxBytes / 1024)),
      ...spec.command.map(literal),
    ],
    env: environment(order),
    securityContext: locked,
    resources: main,
    volumeMounts: [
      { name: "bin", mountPath: "/dekuper/bin", readOnly: true },
      { name: "control", mountPath: "/dekuper/control", readOnly: true },
      { name: "input", mountPath: taskPaths.input, readOnly: true },
      { name: "output", mountPath: taskPaths.output },
      { name: "checkpoint", mountPath: taskPaths.checkpoint },
      { name: "tmp", mountPath: "/tmp" },
      { name: "shm", mountPath: "/dev/shm" },
    ],
  };
}

/** A regular container, not a native sidecar: those are killed when the main container ends, and /output with them. */
function helperContainer({ helper }: AttemptResources, options: PodOptions): V1Container {
  return {
    name: names.helper,
    image: options.helperImage,
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/busybox", "sh", "-c", holdScript],
    securityContext: locked,
    resources: helper,
    volumeMounts: [
      { name: "control", mountPath: "/dekuper/control" },
      { name: "output", mountPath: taskPaths.output },
      { name: "checkpoint", mountPath: taskPaths.checkpoint },
    ],
  };
}

function volumes(spec: TaskSpec): V1Volume[] {
  const { storageMiB, memoryMiB } = spec.resources;
  const disk = (name: string, sizeMiB: number): V1Volume => ({
    name,
    emptyDir: { sizeLimit: `${sizeMiB}Mi` },
  });
  return [
    disk("bin", 8),
    disk("control", 8),
    disk("input", inputsMiB(spec)),
    disk("output", storageMiB),
    disk("checkpoint", storageMiB),
    disk("tmp", storageMiB),
    { name: "shm", emptyDir: { medium: "Memory", sizeLimit: `${shmMiB(memoryMiB)}Mi` } },
  ];
}

/** The task's variables, then the ones that it may not set (design, section 4); a lease is one rank of its gang. */
function environment({ spec, taskId, leaseId, attempt, rank }: AttemptOrder): V1EnvVar[] {
  const { gpus } = spec.resources;
  const { index, count } = rank ?? { index: 0, count: 1 };
  const usual = { HOME: "/tmp", USER: "task" }; // there is no home and no /etc/passwd entry; torch asks for both
  const reserved: Record<string, string> = {
    NNODES: String(count),
    NODE_RANK: String(index),
    NODE_IPS: "127.0.0.1",
    MASTER_ADDR: "127.0.0.1",
    MASTER_PORT,
    PET_NNODES: String(count),
    PET_NODE_RANK: String(index),
    PET_NPROC_PER_NODE: String(Math.max(1, gpus)),
    PET_MASTER_ADDR: "127.0.0.1",
    PET_MASTER_PORT: MASTER_PORT,
    ATTEMPT: String(attempt),
    CHECKPOINT_DIR: taskPaths.checkpoint,
    DEKUPER_INPUT_DIR: taskPaths.input,
    DEKUPER_OUTPUT_DIR: taskPaths.output,
    DEKUPER_TASK_ID: taskId,
    DEKUPER_LEASE_ID: leaseId,
    // An image may say `NVIDIA_VISIBLE_DEVICES=all` and would then see every GPU (NVIDIA k8s-device-plugin 1605).
    ...(gpus === 0 ? { NVIDIA_VISIBLE_DEVICES: "void" } : {}),
  };
  const own = Object.entries(spec.env).map(([name, value]) => [name, literal(value)] as const);
  return [
    ...Object.entries(usual).filter(([name]) => spec.env[name] === undefined),
    ...own,
    ...Object.entries(reserved),
  ].map(([name, value]) => ({ name, value }));
}

/**
 * Kubernetes expands `$(NAME)` in commands and variables, and reads `$$` as `$`; a task means what it wrote
 * (https://pkg.go.dev/k8s.io/kubernetes/third_party/forked/golang/expansion).
 */
function literal(text: string): string {
  return text.replaceAll("$", () => "$$");
}
