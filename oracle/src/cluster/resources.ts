import type { TaskSpec } from "@dekuper/protocol";

/** NVIDIA's extended resource. */
export const GPU = "nvidia.com/gpu";

/** Kubernetes quantities by resource name. */
export interface Quantities extends Record<string, string> {
  cpu: string;
  memory: string;
  "ephemeral-storage": string;
}
export interface Room {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/** What an attempt's containers ask for, and their sum, which is the namespace's quota. */
export interface AttemptResources {
  readonly main: Room;
  readonly helper: Room;
  readonly pod: Room;
  /** The most that one container may take; the smallest orders ask for less than the helper does. */
  readonly largest: Quantities;
}

/**
 * What the helper takes beside what was ordered. Its CPU request is nothing, so that two one-CPU leases fit two CPUs: it
 * works when the main container does not.
 */
export const helperRoom = { cpuLimitMillis: 500, memoryMiB: 32, storageMiB: 16 } as const;

/** Half of memory, but no less than what container runtimes give by themselves; it is charged to the main container's memory. */
export function shmMiB(memoryMiB: number): number {
  return Math.max(Math.min(64, memoryMiB), Math.floor(memoryMiB / 2));
}

/** MiB that the inputs need on disk: files are rounded up to 4 KiB blocks. */
export function inputsMiB(spec: Pick<TaskSpec, "inputs">): number {
  const bytes = spec.inputs.reduce((sum, { size }) => sum + Math.ceil(size / 4096) * 4096, 0);
  return Math.ceil(bytes / 2 ** 20) + 1;
}

/**
 * The order in Kubernetes' terms. `cpuRequestShare` below 1 lets test clusters share one small machine: limits stay as
 * ordered, requests shrink. Inputs, outputs, checkpoints, /tmp and the log share `storageMiB`.
 */
export function attemptResources(
  { resources }: Pick<TaskSpec, "resources">,
  cpuRequestShare = 1,
): AttemptResources {
  const mainMillis = Math.max(1, Math.ceil(resources.vCpus * 1000 * cpuRequestShare));
  const gpus: Record<string, string> = resources.gpus > 0 ? { [GPU]: String(resources.gpus) } : {};
  const room = (
    cpuRequest: number,
    cpuLimit: number,
    memoryMiB: number,
    storageMiB: number,
    extended: Record<string, string> = {},
  ): Room => {
    const shared = { memory: `${memoryMiB}Mi`, "ephemeral-storage": `${storageMiB}Mi`, ...extended };
    return {
      requests: { cpu: `${cpuRequest}m`, ...shared },
      limits: { cpu: `${cpuLimit}m`, ...shared },
    };
  };
  const { cpuLimitMillis, memoryMiB, storageMiB } = helperRoom;
  const mainLimit = resources.vCpus * 1000;
  return {
    main: room(mainMillis, mainLimit, resources.memoryMiB, resources.storageMiB, gpus),
    helper: room(0, cpuLimitMillis, memoryMiB, storageMiB),
    pod: room(
      mainMillis,
      mainLimit + cpuLimitMillis,
      resources.memoryMiB + memoryMiB,
      resources.storageMiB + storageMiB,
      gpus,
    ),
    largest: {
      cpu: `${Math.max(mainLimit, cpuLimitMillis)}m`,
      memory: `${Math.max(resources.memoryMiB, memoryMiB)}Mi`,
      "ephemeral-storage": `${Math.max(resources.storageMiB, storageMiB)}Mi`,
    },
  };
}
