import type { TaskSpec } from "@dekuper/protocol";

/** A valid spec for a small pod without GPUs; a test names what matters to it. */
export function aTaskSpec(
  change: Partial<TaskSpec> = {},
  resources: Partial<TaskSpec["resources"]> = {},
): TaskSpec {
  return {
    version: 1,
    salt: `0x${"5a".repeat(32)}`,
    public: true,
    name: "task",
    image: `ghcr.io/org/image@sha256:${"ef".repeat(32)}`,
    command: ["true"],
    env: {},
    resources: {
      gpus: 0,
      gpuModel: "",
      vCpus: 2,
      memoryMiB: 512,
      storageMiB: 1024,
      isolation: "container",
      maxDuration: 60,
      ...resources,
    },
    inputs: [],
    output: { maxBytes: 1000, recipient: `age1${"q".repeat(58)}` },
    verification: "signed",
    ...change,
  };
}
