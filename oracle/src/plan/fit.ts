import { isolationClasses, leaseRate, type Order, parseImage } from "@dekuper/protocol";
import type { AcceptFacts } from "./accept.ts";

/** What a lease takes of a node, and what a node has of it. */
export interface Share {
  readonly gpus: number;
  readonly vCpus: number;
  readonly memoryMiB: bigint;
}

/** Why not, with the values that decided. */
export interface Misfit {
  readonly reason: string;
  readonly values: Readonly<Record<string, string>>;
}

type Asked = Pick<Order, "verification" | "isolation" | "gpus" | "gpuModel" | "storageMiB">;

/** Why the node takes nothing at all now. */
export function nodeProblem(node: AcceptFacts): string | undefined {
  if (node.evidence === "unreadable") return "chain-unreadable";
  if (node.isStopping) return "stopping";
  if (!node.mayAct) return "read-only";
  if (!node.maySign) return "signing-stopped";
  if (!node.holdsLeaderLock) return "leader-lock";
  if (node.diskFull) return "disk-full";
  if (!node.clusterReachable) return "cluster-unreachable";
  if (node.status === undefined) return "not-registered";
  return node.status === "Active" ? undefined : "not-active";
}

/** Why leases of this order never run on this node, at whatever rate. `levels` are the verification levels it takes. */
export function misfit(order: Asked, node: AcceptFacts, levels: ReadonlySet<number>): Misfit | undefined {
  const unfit = (reason: string, needs: unknown, has: unknown): Misfit => ({
    reason,
    values: { needs: String(needs), has: String(has) },
  });
  if (!levels.has(order.verification))
    return unfit("verification-unsupported", order.verification, [...levels].join(", "));
  if (order.isolation > isolationClasses.indexOf(node.isolation))
    return unfit("isolation-too-weak", isolationClasses[order.isolation], node.isolation);
  if (order.gpus > 0 && order.gpuModel !== "" && order.gpuModel !== node.gpuModel)
    return unfit("other-gpu-model", order.gpuModel, node.gpuModel);
  if (order.storageMiB > node.storageMiB)
    return unfit("storage-too-small", order.storageMiB, node.storageMiB);
  return undefined;
}

/** What one lease costs here, base units per hour: the higher of posted and floor, and never nothing. */
export function askingRate(
  node: Pick<AcceptFacts, "posted" | "floor">,
  need: Pick<Share, "gpus" | "vCpus">,
): bigint {
  const rates = [leaseRate(node.posted, need), leaseRate(node.floor, need), 1n];
  return rates.reduce((most, rate) => (rate > most ? rate : most));
}

/** By digest, from a host on the list; `localhost` only where the images were imported (rule 34). */
export function isImageAllowed(
  image: string,
  node: { readonly imageHosts: readonly string[]; readonly isLocalNetwork: boolean },
): boolean {
  const { host } = parseImage(image);
  return host === "localhost" ? node.isLocalNetwork : node.imageHosts.includes(host);
}
