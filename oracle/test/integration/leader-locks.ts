import { randomBytes } from "node:crypto";
import type { V1Lease } from "@kubernetes/client-node";
import { bytesToHex, type Hex } from "viem";
import type { Wire } from "../../src/cluster/kubernetes-api.ts";
import { kubectl, see } from "./embedded-cluster.ts";

const NAMESPACE = "dekuper-system";

/** Who asks for a lock; a node of its own unless it is given one. */
export interface Instance {
  readonly node: Hex;
  readonly instanceId: string;
}

export function anInstance(node: Hex = bytesToHex(randomBytes(20))): Instance {
  return { node, instanceId: `instance-${randomBytes(4).toString("hex")}` };
}

/** The Lease that stands for a node's lock. */
export function leaseOf({ node }: Pick<Instance, "node">): Promise<Wire<V1Lease>> {
  return see<Wire<V1Lease>>("lease", "-n", NAMESPACE, `node-${node}`);
}

/** Unix milliseconds. */
export async function renewedAt(instance: Instance): Promise<number> {
  return Date.parse((await leaseOf(instance)).spec?.renewTime ?? "");
}

/** Writes the lock for a holder past the driver, as last renewed so many seconds ago. */
export async function writeLock({ node, instanceId }: Instance, secondsAgo: number): Promise<void> {
  const renewTime = new Date(Date.now() - secondsAgo * 1000).toISOString().replace("Z", "000Z");
  const lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: `node-${node}`, namespace: NAMESPACE },
    spec: { holderIdentity: instanceId, leaseDurationSeconds: 30, renewTime },
  };
  await kubectl(["apply", "--server-side", "--force-conflicts", "-f", "-"], JSON.stringify(lease));
}
