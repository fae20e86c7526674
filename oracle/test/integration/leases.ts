import { createHash, randomBytes } from "node:crypto";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { leaseId, type TaskSpec } from "@dekuper/protocol";
import { bytesToHex, type Hex } from "viem";
import type {
  AttemptObservation,
  AttemptOrder,
  AttemptRef,
  ClusterDriver,
} from "../../src/cluster/driver.ts";
import { createKubernetesDriver, type KubernetesDriverOptions } from "../../src/cluster/kubernetes-driver.ts";
import { namespaceOf } from "../../src/cluster/names.ts";
import { aTaskSpec } from "../task-spec.ts";
import { busybox, core, oracleAccount } from "./embedded-cluster.ts";

/** The oracle of these tests. */
export const NODE: Hex = "0x00000000000000000000000000000000000d4cab";

const drivers: ClusterDriver[] = [];
after(() => Promise.all(drivers.map((driver) => driver.stop())));

/** A started driver; stopped when the run ends. */
export async function openDriver(options: Partial<KubernetesDriverOptions> = {}): Promise<ClusterDriver> {
  const driver = createKubernetesDriver({
    kubeconfig: oracleAccount(),
    node: NODE,
    helperImage: busybox(),
    // The tests' leases share two cores: limits stay, requests shrink.
    cpuRequestShare: 0.02,
    ...options,
  });
  drivers.push(driver);
  await driver.start(soon());
  return driver;
}

/** What a test wants of a lease; everything else is small. */
export interface LeaseWish {
  readonly command?: readonly string[];
  readonly image?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly resources?: Partial<TaskSpec["resources"]>;
  readonly inputs?: ReadonlyMap<string, Uint8Array>;
  readonly maxDuration?: number;
  readonly deadlineSeconds?: number;
}

/** A new lease of the wish: nobody has heard of its id before. */
export function anOrder(wish: LeaseWish = {}): AttemptOrder {
  const taskId = bytesToHex(randomBytes(32));
  const maxDuration = wish.maxDuration ?? 600;
  const spec = aTaskSpec(
    {
      salt: bytesToHex(randomBytes(32)),
      image: wish.image ?? busybox(),
      command: [...(wish.command ?? sh("sleep 600"))],
      env: { ...wish.env },
      inputs: [...(wish.inputs ?? [])].map(([path, bytes]) => ({
        path,
        digest: digestOf(bytes),
        size: bytes.length,
      })),
      output: { maxBytes: 64 * 2 ** 20, recipient: `age1${"q".repeat(58)}` },
    },
    {
      vCpus: 1,
      memoryMiB: 64,
      storageMiB: 64,
      isolation: "user-namespace",
      maxDuration,
      ...wish.resources,
    },
  );
  return {
    chainId: 31_337,
    registry: "0x00000000000000000000000000000000000000aa",
    taskId,
    leaseId: leaseId(taskId, 0),
    attempt: 1,
    spec,
    runSeconds: maxDuration,
    deadlineSeconds: wish.deadlineSeconds ?? 900,
  };
}

/** A shell script as a task's command. */
export function sh(script: string): string[] {
  return ["/dekuper/bin/busybox", "sh", "-c", script];
}

/** Makes the lease's pod and waits until it stands where it should. Its namespace goes when the run ends, if not before. */
export async function begin(
  driver: ClusterDriver,
  order: AttemptOrder,
  stage: AttemptObservation["stage"] = "running",
): Promise<AttemptObservation> {
  await driver.ensureAttempt(order, soon());
  return until(driver, order, `it is ${stage}`, (seen) => seen?.stage === stage);
}

/** Looks at a lease until it is as it should be. */
export async function until(
  driver: ClusterDriver,
  ref: AttemptRef,
  what: string,
  holds: (seen: AttemptObservation | undefined) => boolean,
  seconds = 60,
): Promise<AttemptObservation> {
  const end = Date.now() + seconds * 1000;
  let seen: AttemptObservation | undefined;
  while (Date.now() < end) {
    seen = await look(driver, ref);
    if (holds(seen)) return seen as AttemptObservation;
    await sleep(150);
  }
  throw new Error(`not within ${seconds} s: ${what}; it is ${JSON.stringify(seen)}`);
}

export async function look(driver: ClusterDriver, ref: AttemptRef): Promise<AttemptObservation | undefined> {
  return (await driver.observe(soon())).find(({ leaseId }) => leaseId === ref.leaseId);
}

/** Lets the lease's pod go without waiting for it: the cores are needed. */
export async function dismiss(ref: AttemptRef): Promise<void> {
  const api = core();
  const namespace = namespaceOf(ref);
  await api.deleteCollectionNamespacedPod({ namespace, gracePeriodSeconds: 1 });
  await api.deleteNamespace({ name: namespace });
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

export function digestOf(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`;
}

/** No call of the driver may take longer in a test. */
export function soon(): AbortSignal {
  return AbortSignal.timeout(60_000);
}
