import type { Isolation } from "@dekuper/protocol";
import { createKubernetesDriver } from "../cluster/kubernetes-driver.ts";

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint?: string;
}
export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
  /** What the node may claim. */
  readonly isolation: Isolation;
}

const NOBODY = "0x0000000000000000000000000000000000000000";

/** Looks at a cluster before a node advertises it. */
export async function runDoctor(options: {
  kubeconfig?: string;
  helperImage: string;
  signal?: AbortSignal;
}): Promise<DoctorReport> {
  const signal = options.signal ?? AbortSignal.timeout(60_000);
  const driver = createKubernetesDriver({
    node: NOBODY,
    helperImage: options.helperImage,
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
  });
  await driver.start(signal);
  try {
    const capacity = await driver.capacity(signal);
    const checks: DoctorCheck[] = [
      { check: "api", ok: true, detail: "the API server answers" },
      {
        check: "user namespaces",
        ok: capacity.isolation === "user-namespace",
        detail:
          capacity.isolation === "user-namespace"
            ? "the API server takes hostUsers: false"
            : "the API server does not take hostUsers: false",
        ...(capacity.isolation === "user-namespace"
          ? {}
          : { hint: "Kubernetes 1.33 or newer with a runtime that has user namespaces." }),
      },
      {
        check: "gpus",
        ok: true,
        detail: capacity.gpus === 0 ? "none" : `${capacity.gpus}x ${capacity.gpuModel}`,
      },
      {
        check: "room",
        ok: capacity.vCpus > 0,
        detail: `${capacity.vCpus} vCPUs, ${capacity.memoryMiB} MiB memory, ${capacity.storageMiB} MiB storage`,
      },
    ];
    return { checks, isolation: capacity.isolation };
  } finally {
    await driver.stop();
  }
}
