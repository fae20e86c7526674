import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { canonicalJson, parseJson } from "./canonical-json.ts";
import { DekuperError } from "./errors.ts";

/** Our liveness message (rule 33). Gossipsub's StrictSign signs it with the operator's own key. */
export interface Heartbeat {
  readonly version: 1;
  readonly chainId: number;
  readonly registry: Address;
  readonly node: Address;
  /** Random per state folder: another id under one's own key means a second daemon. */
  readonly instanceId: string;
  /** Strictly rising per instance. */
  readonly seq: number;
  /** A recent block, by number and hash. */
  readonly blockNumber: number;
  readonly blockHash: Hex;
  /** Unix milliseconds. */
  readonly issuedAt: number;
  /** GPUs that no lease holds. */
  readonly freeGpus: number;
  readonly leases: number;
}

/** Most bytes of a heartbeat. */
export const MAX_HEARTBEAT_BYTES = 1024;
/** Largest difference between `issuedAt` and the receiver's clock, milliseconds. */
export const MAX_HEARTBEAT_SKEW_MS = 30_000;
/** How often a node sends one, milliseconds. */
export const HEARTBEAT_INTERVAL_MS = 2_000;
/** A node whose last heartbeat is older counts as offline, milliseconds. */
export const PRESENCE_TIMEOUT_MS = 15_000;

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }))
  .transform((text) => getAddress(text));
const schema = z.strictObject({
  version: z.literal(1),
  chainId: z.int().positive(),
  registry: address,
  node: address,
  instanceId: z.string().regex(/^[0-9a-f]{32}$/),
  seq: z.int().nonnegative(),
  blockNumber: z.int().nonnegative(),
  blockHash: z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>,
  issuedAt: z.int().positive(),
  freeGpus: z.int().nonnegative(),
  leases: z.int().nonnegative(),
});

/** Topic of one market's heartbeats: chain and registry are part of the name. */
export function heartbeatTopic(chainId: number, nodeRegistry: Address): string {
  return `/dekuper/${chainId}/${nodeRegistry.toLowerCase()}/heartbeat/1`;
}

export function encodeHeartbeat(heartbeat: Heartbeat): Uint8Array {
  return canonicalJson(heartbeat);
}

/** Reads a heartbeat from anyone; `MESSAGE_INVALID` names what is wrong. */
export function decodeHeartbeat(bytes: Uint8Array): Heartbeat {
  if (bytes.length > MAX_HEARTBEAT_BYTES)
    throw new DekuperError("MESSAGE_INVALID", `A heartbeat of ${bytes.length} bytes.`);
  const parsed = schema.safeParse(parseJson(bytes, "heartbeat"));
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError("MESSAGE_INVALID", `The heartbeat's ${issue?.path.join(".")}: ${issue?.message}.`);
  }
  return parsed.data;
}

/** Why a heartbeat is dropped, or undefined if it counts. `last` is the newest one of the same node that counted. */
export function heartbeatProblem(
  heartbeat: Heartbeat,
  receiver: {
    chainId: number;
    registry: Address;
    nowMs: number;
    sender: Address;
    last?: Heartbeat | undefined;
  },
): "other-market" | "other-sender" | "skew" | "old-seq" | "old-block" | undefined {
  if (heartbeat.chainId !== receiver.chainId || heartbeat.registry !== getAddress(receiver.registry))
    return "other-market";
  if (heartbeat.node !== getAddress(receiver.sender)) return "other-sender";
  if (Math.abs(receiver.nowMs - heartbeat.issuedAt) > MAX_HEARTBEAT_SKEW_MS) return "skew";
  const last = receiver.last;
  if (last === undefined) return undefined;
  if (last.instanceId === heartbeat.instanceId && heartbeat.seq <= last.seq) return "old-seq";
  if (last.instanceId !== heartbeat.instanceId && heartbeat.issuedAt <= last.issuedAt) return "old-seq";
  return heartbeat.blockNumber < last.blockNumber - 64 ? "old-block" : undefined;
}
