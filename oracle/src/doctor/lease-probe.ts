import { createHash, randomBytes } from "node:crypto";
import { DekuperError, type Isolation, leaseId, type TaskSpec } from "@dekuper/protocol";
import { bytesToHex, zeroAddress } from "viem";
import type { AttemptObservation, AttemptOrder, ClusterDriver } from "../cluster/driver.ts";
import type { KubernetesApi } from "../cluster/kubernetes-api.ts";
import type { WirePod } from "../cluster/observe.ts";
import { readEntries } from "../result/output-entries.ts";
import { DONE, type Facts, lookAroundScript, parseFacts, type Target } from "./look-around.ts";
import { sleep } from "./waiting.ts";

const SECONDS = 240;

/** A lease like any other, made by the oracle's own driver with its own fences, whose task looks around. */
export class LeaseProbe {
  private readonly driver: ClusterDriver;
  private readonly api: KubernetesApi;
  private readonly order: AttemptOrder;
  private readonly input: Uint8Array;
  private readonly startSeconds: number;

  constructor(
    driver: ClusterDriver,
    api: KubernetesApi,
    wish: {
      image: string;
      isolation: Isolation;
      dns: { name: string; server: string };
      targets: readonly Target[];
      startSeconds: number;
    },
  ) {
    this.driver = driver;
    this.api = api;
    this.input = randomBytes(64 * 1024);
    this.startSeconds = wish.startSeconds;
    this.order = probeOrder(wish, this.input);
  }

  /** Brings the pod up, its input through exec, and answers what it found. */
  async run(signal: AbortSignal): Promise<Facts> {
    const { driver, order, input } = this;
    await driver.ensureAttempt(order, signal);
    await this.until("awaiting-inputs", signal);
    const read = async function* () {
      yield input;
    };
    await driver.sendInputs(order, order.spec, read, signal);
    await this.until("running", signal);
    let log = "";
    for await (const bytes of driver.readLog(order, { follow: true }, signal)) {
      log += Buffer.from(bytes).toString();
      if (log.split("\n").includes(DONE)) return parseFacts(log);
    }
    throw new DekuperError("CLUSTER_REFUSED", "The probe's pod ended before it had looked around.");
  }

  /** Where it runs: namespace and addresses. */
  async place(signal: AbortSignal): Promise<{ namespace: string; addresses: readonly string[] }> {
    const { namespace } = await this.until("running", signal);
    const pods = await this.api.list<WirePod>(`/api/v1/namespaces/${namespace}/pods`, {}, signal);
    return {
      namespace,
      addresses: pods.flatMap(({ status }) => status?.podIPs ?? []).flatMap(({ ip }) => ip ?? []),
    };
  }

  /** Stops it and reads its output: whether that is, byte for byte, what went in. */
  async returnsItsInput(signal: AbortSignal): Promise<boolean> {
    await this.driver.stopMain(this.order, signal);
    await this.until("exited", signal);
    const found: Buffer[] = [];
    for await (const entry of readEntries(this.driver.readOutput(this.order, signal), {
      maxEntries: 10,
      maxDepth: 2,
    })) {
      if (entry.kind !== "file") continue;
      const parts: Uint8Array[] = [];
      for await (const part of entry.bytes) parts.push(part);
      found.push(Buffer.concat(parts));
    }
    return found.length === 1 && found[0]?.equals(this.input) === true;
  }

  remove(signal: AbortSignal): Promise<void> {
    return this.driver.tearDown(this.order, signal);
  }

  private async until(stage: AttemptObservation["stage"], signal: AbortSignal): Promise<AttemptObservation> {
    const end = Date.now() + this.startSeconds * 1000;
    for (;;) {
      const all = await this.driver.observe(signal);
      const seen = all.find(({ leaseId }) => leaseId === this.order.leaseId);
      if (seen?.stage === stage) return seen;
      if (seen?.stage === "gone" || seen?.stage === "exited" || Date.now() > end)
        throw new DekuperError(
          "CLUSTER_REFUSED",
          `The probe's pod does not get ${stage}: ${seen?.reason ?? seen?.stage ?? "it is not there"}.`,
        );
      await sleep(200, signal);
    }
  }
}

function probeOrder(
  { image, isolation, dns, targets }: ConstructorParameters<typeof LeaseProbe>[2],
  input: Uint8Array,
): AttemptOrder {
  const digest = bytesToHex(createHash("sha256").update(input).digest());
  const triples = targets.flatMap(({ check, host, port }) => [
    check.replaceAll(" ", "-"),
    host,
    String(port),
  ]);
  const script = ["/dekuper/bin/busybox", "sh", "-c", lookAroundScript, "look", dns.name, dns.server];
  const spec: TaskSpec = {
    version: 1,
    salt: bytesToHex(randomBytes(32)),
    public: true,
    name: "probe",
    image,
    command: [...script, ...triples],
    env: {},
    resources: {
      gpus: 0,
      gpuModel: "",
      vCpus: 1,
      memoryMiB: 64,
      storageMiB: 16,
      isolation,
      maxDuration: SECONDS,
    },
    inputs: [{ path: "probe", digest, size: input.length }],
    output: { maxBytes: 2 ** 20, recipient: "" },
    verification: "signed",
  };
  const taskId = bytesToHex(randomBytes(32));
  return {
    chainId: 0,
    registry: zeroAddress,
    taskId,
    leaseId: leaseId(taskId, 0),
    attempt: 1,
    spec,
    runSeconds: SECONDS,
    deadlineSeconds: SECONDS,
  };
}
