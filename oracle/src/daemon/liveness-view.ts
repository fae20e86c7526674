import type { Deployment } from "@dekuper/protocol";
import { type Address, getAddress } from "viem";
import type { Clock } from "../chain/clock.ts";
import { readRecord, readStanding, type Standing } from "../chain/liveness.ts";
import type { ChainReader } from "../chain/reader.ts";
import { HearingWatch, quorumOf } from "../plan/committee.ts";
import type { Hearing, SeenHead, WatchedNode } from "../plan/liveness.ts";
import type { Seconds } from "../plan/plan.ts";
import type { NodeMap } from "./node-map.ts";

export interface LivenessViewDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: ChainReader;
  readonly nodes: Pick<NodeMap, "all">;
  /** Unix milliseconds. */
  readonly lastHeard: (node: Address) => number | undefined;
  readonly clock: Pick<Clock, "now">;
}

/** Present nodes whose records are read in one look, in turn. */
const BATCH = 64;
/** Records that are read in one look at most. */
const MOST_RECORDS = 256;

/** What this node knows of who is there: what it hears, what the chain holds, and how it stands with the committee itself. */
export class LivenessView {
  private readonly deps: LivenessViewDeps;
  private readonly watch = new HearingWatch();
  private readonly listedSince = new Map<Address, number>();
  private readonly heldOffline = new Map<Address, boolean>();
  private batchFrom = 0;
  private last: Standing | undefined;

  constructor(deps: LivenessViewDeps) {
    this.deps = deps;
  }

  /** As it was last read. */
  get standing(): Standing | undefined {
    return this.last;
  }

  /** Reads the committee and this node's own record. Throws `RPC_UNAVAILABLE`. */
  async look(): Promise<Standing> {
    const { reader, deployment, node, nodes, clock } = this.deps;
    this.last = await reader.read((client) => readStanding(client, deployment, node));
    const listed = new Set(nodes.all().map((entry) => entry.node));
    for (const entry of listed) if (!this.listedSince.has(entry)) this.listedSince.set(entry, clock.now());
    for (const known of this.listedSince.keys()) {
      if (listed.has(known)) continue;
      this.listedSince.delete(known);
      this.heldOffline.delete(known);
    }
    return this.last;
  }

  /** The newest block, undefined while none was seen. */
  get head(): SeenHead | undefined {
    const view = this.deps.reader.lastReadable;
    return view && { timestamp: view.head.timestamp, seenAt: view.headSeenAt };
  }

  /** The chain's clock now: the head's, and what has passed since. */
  get now(): Seconds {
    const { head } = this;
    return head === undefined ? 0 : head.timestamp + (this.deps.clock.now() - head.seenAt) / 1000;
  }

  /** How this node hears the others at this moment. */
  hearing(): Hearing {
    const { node, clock, lastHeard } = this.deps;
    const others = new Map<Address, number>();
    for (const other of this.others()) {
      const at = lastHeard(other);
      if (at !== undefined) others.set(other, at);
    }
    const { committee, rules, candidacy } = this.last ?? {};
    const seats =
      committee === undefined || rules === undefined || candidacy?.isSeated !== true
        ? undefined
        : { others: committee.seats.filter((seat) => seat !== node), quorum: quorumOf(committee, rules) };
    return this.watch.look(clock.now(), others, seats);
  }

  /** The other nodes that something may have to be reported of, and some more in turn, with their records read now. */
  async suspects(isQuiet: (lastHeard: number | undefined) => boolean): Promise<WatchedNode[]> {
    const others = this.others();
    const news = others.filter((node) => {
      const isHeldOffline = this.heldOffline.get(node) ?? false;
      return isQuiet(this.deps.lastHeard(node)) !== isHeldOffline;
    });
    const batch = others.slice(this.batchFrom, this.batchFrom + BATCH);
    this.batchFrom = this.batchFrom + BATCH < others.length ? this.batchFrom + BATCH : 0;
    return this.read([...new Set([...news, ...batch])].slice(0, MOST_RECORDS));
  }

  /** Nodes in service, others than this one, with their records read now; those that are not listed are left out. */
  async read(nodes: readonly Address[]): Promise<WatchedNode[]> {
    const { reader, deployment, lastHeard } = this.deps;
    const listed = nodes.map((node) => getAddress(node)).filter((node) => this.listedSince.has(node));
    return Promise.all(
      listed.map(async (node) => {
        const record = await reader.read((client) => readRecord(client, deployment, node));
        this.heldOffline.set(node, record.since !== 0);
        const listedSince = this.listedSince.get(node) ?? Number.POSITIVE_INFINITY;
        return { node, lastHeard: lastHeard(node), listedSince, record };
      }),
    );
  }

  private others(): Address[] {
    return [...this.listedSince.keys()].filter((entry) => entry !== this.deps.node);
  }
}
