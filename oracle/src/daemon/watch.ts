import { type Deployment, isDekuperError } from "@dekuper/protocol";
import { type Address, getAddress, type Hex, keccak256 } from "viem";
import type { Clock } from "../chain/clock.ts";
import {
  type LeaseState,
  readLease,
  readOfflineSince,
  readRunDeadline,
  type TaskTerms,
} from "../chain/contracts.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { FactStore, OrderedLease } from "../journal/facts.ts";
import type { AcceptFacts } from "../plan/accept.ts";
import { misfit, nodeProblem } from "../plan/fit.ts";
import { patienceOf, planWatch } from "../plan/watch.ts";
import type { Accepter, NodeState } from "./accepter.ts";
import type { LeaseFactReader } from "./lease-facts.ts";
import type { NodeMap } from "./node-map.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

export interface WatchDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: ChainReader;
  readonly store: FactStore;
  readonly journal: Pick<AttemptJournal, "live">;
  readonly queue: Pick<TransactionQueue, "submit" | "isPending">;
  readonly nodes: Pick<NodeMap, "entry" | "all">;
  readonly facts: Pick<LeaseFactReader, "termsOf">;
  readonly accepter: Pick<Accepter, "lookAtNode">;
  readonly clock: Pick<Clock, "now">;
  readonly log: Pick<OracleLog, "info">;
}

/** Between two looks, and leases looked at in one: the cost does not grow with the market. */
const WATCH_MS = 5_000;
const BATCH = 16;
const MOST_DUE = 4_096;
const SIGNED: ReadonlySet<number> = new Set([0]);

/**
 * Looks after other nodes' leases: what its node has lost goes to another one, which may be this, and what is overdue ends.
 * A node does it for leases that it could run, and for those of a gang or quorum that it is a member of.
 */
export class Watch {
  private readonly deps: WatchDeps;
  private lookedAt = 0;
  private lookedAtUpTo: Hex | null = null;
  /** Since when something may be done about a lease's state, chain time. */
  private readonly dueSince = new Map<string, number>();

  constructor(deps: WatchDeps) {
    this.deps = deps;
  }

  async round(state: NodeState, signal: AbortSignal): Promise<void> {
    const { clock, store, reader, accepter, log } = this.deps;
    if (clock.now() - this.lookedAt < WATCH_MS) return;
    this.lookedAt = clock.now();
    const now = reader.lastReadable?.head.timestamp ?? 0;
    const batch = store.liveLeases(now, BATCH, this.lookedAtUpTo);
    this.lookedAtUpTo = batch.length < BATCH ? null : (batch.at(-1)?.leaseId ?? null);
    if (batch.length === 0 || this.dueSince.size > MOST_DUE) this.dueSince.clear();
    if (batch.length === 0) return;
    const facts = (await accepter.lookAtNode()).facts(state);
    if (nodeProblem(facts) !== undefined) return;
    const own = this.ownTasks();
    const mine = batch.filter((lease) => own.has(lease.taskId) || isWithinReach(lease, facts));
    await Promise.all(
      mine.map((lease) =>
        this.look(lease, own.has(lease.taskId), now, signal).catch((error: unknown) => {
          if (!isDekuperError(error)) throw error;
          log.info({ leaseId: lease.leaseId, error: errorFields(error) }, "lease-not-watched");
        }),
      ),
    );
  }

  private async look(lease: OrderedLease, isPeer: boolean, now: number, signal: AbortSignal): Promise<void> {
    const { reader, deployment, facts, node, queue, log } = this.deps;
    const { view } = reader;
    if (view.evidence === "unreadable") return;
    const state = await reader.read((client) =>
      readLease(client, deployment, lease.leaseId, view.head.number),
    );
    if (state.node === getAddress(node)) return; // its own plan looks after it
    const due = await this.dueOf(state, await facts.termsOf(lease.taskId), now);
    const key = `${lease.leaseId}:${state.attempt}:${state.status}`;
    if (due === undefined) {
      this.dueSince.delete(key);
      return;
    }
    const since = this.dueSince.get(key) ?? now;
    this.dueSince.set(key, since);
    const patience = isPeer ? 0 : this.patienceFor(key);
    const call = { name: due, args: [lease.leaseId] } as const;
    if (now < since + patience || queue.isPending(call)) return;
    log.info({ leaseId: lease.leaseId, node: state.node, action: due }, "lease-enforced");
    // Simulated first: whoever comes second is refused without paying.
    void queue
      .submit(call, signal)
      .catch((error: unknown) =>
        log.info({ leaseId: lease.leaseId, action: due, error: errorFields(error) }, "lease-not-enforced"),
      );
  }

  private async dueOf(state: LeaseState, terms: TaskTerms, now: number) {
    const { reader, deployment, nodes } = this.deps;
    const { view } = reader;
    const isHeld = state.status !== "Open";
    const [offlineSince, deadline] = await Promise.all([
      isHeld ? reader.read((client) => readOfflineSince(client, deployment, state.node)) : undefined,
      state.status === "Running" && view.evidence === "readable"
        ? reader.read((client) => readRunDeadline(client, deployment, state.leaseId, view.head.number))
        : state.deadline,
    ]);
    const { status } = state;
    const { outageGrace, failoverAfter } = terms;
    const isRevoked = isHeld && nodes.entry(state.node)?.status === "Retired";
    return planWatch({ status, deadline, outageGrace, failoverAfter, isRevoked, offlineSince }, now);
  }

  private patienceFor(key: string): number {
    const { node, nodes } = this.deps;
    const draw = keccak256(new TextEncoder().encode(`${node.toLowerCase()}:${key}`));
    return patienceOf(Number.parseInt(draw.slice(2, 10), 16), nodes.all().length);
  }

  /** Of several leases, one of which is its own. */
  private ownTasks(): ReadonlySet<Hex> {
    const live = this.deps.journal
      .live()
      .filter(({ ended, order }) => ended === undefined && order.leases > 1);
    return new Set(live.map(({ taskId }) => taskId));
  }
}

/** This node could take it over, were it not for what it runs now. */
function isWithinReach({ order }: OrderedLease, facts: AcceptFacts): boolean {
  return misfit(order, facts, SIGNED) === undefined;
}
