import { byAddress, HEARTBEAT_INTERVAL_MS, MAX_REPORT_CHANGES, PRESENCE_TIMEOUT_MS } from "@dekuper/protocol";
import type { Address } from "viem";
import type { DowntimeRecord } from "../chain/liveness.ts";
import type { Seconds } from "./plan.ts";

/** By this node's own clock, Unix milliseconds. */
type Millis = number;

/** How this node hears the others. */
export interface Hearing {
  readonly now: Millis;
  /** Since when it has heard others without a break; undefined: it is cut off, and has seen nothing. */
  readonly since: Millis | undefined;
}

/** The newest block that was seen, and when. */
export interface SeenHead {
  readonly timestamp: Seconds;
  readonly seenAt: Millis;
}

/** One node, as far as this one knows. */
export interface WatchedNode {
  readonly node: Address;
  /** When its last heartbeat came. */
  readonly lastHeard: Millis | undefined;
  /** Since when the registry shows it. */
  readonly listedSince: Millis;
  readonly record: DowntimeRecord;
}

export interface Changes {
  readonly offline: readonly Address[];
  readonly online: readonly Address[];
}

/** Silence that a seat puts its name to, when asked. */
export const SILENCE_MS = PRESENCE_TIMEOUT_MS;
/** Silence that it reports of itself: a heartbeat more, so that those who heard the node last agree. */
export const REPORTED_SILENCE_MS = SILENCE_MS + HEARTBEAT_INTERVAL_MS;
/** A node that was heard so lately is there. */
const FRESH_MS = 3 * HEARTBEAT_INTERVAL_MS;

/**
 * The changes that this node would report, each list ascending, at most 64 together: who has been silent although it
 * listened all the time, and who is heard although the chain holds it offline (rule 25). What the contract would skip, for
 * it is so already, stale or within the cooldown, is left out.
 */
export function planReport(
  nodes: readonly WatchedNode[],
  hearing: Hearing,
  head: SeenHead,
  cooldown: Seconds,
): Changes {
  const fresh = nodes.filter(({ record }) => head.timestamp > record.knownAt);
  const online = fresh.filter((node) => node.record.since !== 0 && isHeard(node, hearing, head));
  const offline = fresh.filter(
    (node) =>
      node.record.since === 0 &&
      (node.record.reportedAt === 0 || head.timestamp >= node.record.reportedAt + cooldown) &&
      isSilent(node, hearing, head, REPORTED_SILENCE_MS),
  );
  const room = MAX_REPORT_CHANGES - Math.min(online.length, MAX_REPORT_CHANGES);
  return {
    online: addresses(online.slice(0, MAX_REPORT_CHANGES)),
    offline: addresses(offline.slice(0, room)),
  };
}

/** Of a report that another seat proposes, the entries that this node has seen itself. It never calls itself offline. */
export function supportedOf(
  asked: Changes,
  self: Address,
  watched: (node: Address) => WatchedNode | undefined,
  hearing: Hearing,
  head: SeenHead,
): Changes {
  const of = (entry: Address, holds: (node: WatchedNode) => boolean) => {
    const node = watched(entry);
    return node !== undefined && holds(node);
  };
  return {
    offline: asked.offline.filter(
      (entry) => entry !== self && of(entry, (node) => isSilent(node, hearing, head, SILENCE_MS)),
    ),
    online: asked.online.filter(
      (entry) => entry === self || of(entry, (node) => isHeard(node, hearing, head)),
    ),
  };
}

/** Silence counts from when this node began to listen, or to know the node, or from the node's last act on chain. */
function isSilent(node: WatchedNode, hearing: Hearing, head: SeenHead, least: Millis): boolean {
  if (hearing.since === undefined) return false;
  const alive = [hearing.since, node.listedSince, node.lastHeard ?? 0, whenSeen(node.record.knownAt, head)];
  return hearing.now - Math.max(...alive) >= least;
}

function isHeard({ lastHeard, record }: WatchedNode, hearing: Hearing, head: SeenHead): boolean {
  if (hearing.since === undefined || lastHeard === undefined) return false;
  return (
    hearing.now - lastHeard <= FRESH_MS && (record.since === 0 || lastHeard > whenSeen(record.since, head))
  );
}

/** When a moment of the chain's clock was, by this node's own. */
function whenSeen(at: Seconds, head: SeenHead): Millis {
  return head.seenAt - (head.timestamp - at) * 1000;
}

function addresses(nodes: readonly WatchedNode[]): Address[] {
  return nodes.map(({ node }) => node).sort(byAddress);
}

/**
 * What a quorum can sign as one: entries in the order of their support, each kept only while as many seats support all
 * that is kept. What is left over is for the next report.
 */
export function agreeOn(asked: Changes, answers: readonly Changes[], quorum: number): Changes {
  const entries = (["offline", "online"] as const).flatMap((list) =>
    asked[list].map((node) => ({
      list,
      node,
      by: new Set(answers.flatMap((answer, index) => (answer[list].includes(node) ? [index] : []))),
    })),
  );
  let agreeing = new Set(answers.keys());
  const kept = { offline: [] as Address[], online: [] as Address[] };
  for (const { list, node, by } of entries.sort((a, b) => b.by.size - a.by.size)) {
    const both = new Set([...agreeing].filter((index) => by.has(index)));
    if (both.size < quorum) continue;
    agreeing = both;
    kept[list].push(node);
  }
  return { offline: kept.offline.sort(byAddress), online: kept.online.sort(byAddress) };
}

export const isEmpty = ({ offline, online }: Changes): boolean => offline.length + online.length === 0;
