import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { ClusterAddresses } from "./addresses.ts";
import { systemErrorCode } from "./errors.ts";

/** GPUs that the node advertises without having them. */
export interface SimulatedGpus {
  count: number;
  /** As NVIDIA's feature discovery writes it, such as `NVIDIA-H100-80GB-HBM3`. */
  product: string;
  memoryMiB: number;
}

/** An image as the cluster knows it. */
export interface ClusterImage {
  name: string;
  tar: string;
  /** `localhost/NAME@sha256:...` */
  reference: string;
  /** `localhost/NAME:1` */
  tag: string;
  manifestDigest: string;
}

/** What `startCluster` hands to the supervisor, through the state folder. */
export interface ClusterSettings {
  name: string;
  id: string;
  addresses: ClusterAddresses;
  gpus: SimulatedGpus | undefined;
  images: ClusterImage[];
  binDir: string;
  /** A containerd root that has the images already; see image-store.ts. */
  imageStore: string;
}

export type ClusterPhase = "starting" | "ready" | "stopping" | "stopped" | "failed";

export interface ComponentStatus {
  name: string;
  pid: number | undefined;
  restarts: number;
}

/** What the supervisor tells the world, through the state folder. */
export interface SupervisorStatus {
  phase: ClusterPhase;
  components: ComponentStatus[];
  /** Milliseconds from the supervisor's start to each step. */
  timeline: Record<string, number>;
  error?: { code: string; message: string; hint?: string };
}

/** Writes a file whole or not at all: readers poll these. */
export function writeWhole(path: string, text: string, mode = 0o644): void {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, text, { mode });
  renameSync(draft, path);
}

export function writeJson(path: string, value: unknown): void {
  writeWhole(path, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** A JSON file of ours; `undefined` when there is none. */
export function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as T;
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
