import type { Address } from "viem";
import type { ChainReader } from "../chain/reader.ts";
import type { AttemptJournal } from "../journal/attempts.ts";
import type { Assignment, FactStore } from "../journal/facts.ts";
import type { OracleLog } from "./oracle-log.ts";

export interface AssignmentDeps {
  readonly node: Address;
  readonly store: FactStore;
  readonly journal: AttemptJournal;
  readonly reader: Pick<ChainReader, "lastReadable">;
  readonly log: Pick<OracleLog, "info" | "error">;
  readonly adopt: boolean;
}

const BORN_AT = "bornAtBlock";

/**
 * What the chain says that this node was given, against what its journal knows. An award that came after the journal began
 * and that the node has not started is new work, however long the node was away. Any other attempt that the journal does
 * not know was begun by somebody with this key: where the journal is empty, it was lost, and nothing is done until `adopt`
 * says so (rule 32).
 */
export class Assignments {
  private readonly deps: AssignmentDeps;
  private readonly reported = new Set<string>();
  private isChecked = false;
  /** False: an empty journal met live leases. */
  mayAct = true;

  constructor(deps: AssignmentDeps) {
    this.deps = deps;
  }

  /** The journal has been held against the chain once. */
  get wasChecked(): boolean {
    return this.isChecked;
  }

  /** After each look at the chain's events. */
  meet(): void {
    if (!this.mayAct) return;
    const { journal, store, node } = this.deps;
    const bornAt = this.bornAt();
    const unknown = store
      .assignedTo(node)
      .filter(({ leaseId, attempt }) => journal.find(leaseId, attempt) === undefined);
    const isNew = ({ block, isStarted }: Assignment) => block > bornAt && !isStarted;
    this.meetStrange(unknown.filter((assignment) => !isNew(assignment)));
    this.isChecked = true;
    if (!this.mayAct) return;
    for (const assignment of unknown.filter(isNew)) this.open(assignment, false);
  }

  private meetStrange(strange: readonly Assignment[]): void {
    const { adopt, journal, log } = this.deps;
    const news = strange.filter((assignment) => !this.reported.has(keyOf(assignment)));
    if (news.length === 0) return;
    if (adopt && !this.isChecked) {
      for (const assignment of news) this.open(assignment, true);
      return;
    }
    if (!this.isChecked) this.mayAct = !journal.isEmpty();
    for (const assignment of news) this.reported.add(keyOf(assignment));
    log.error(
      { leases: news.map(({ leaseId }) => leaseId), code: "JOURNAL_EMPTY" },
      "unknown-leases-on-chain",
    );
  }

  private open({ leaseId, attempt }: Assignment, adopted: boolean): void {
    const { store, journal, log } = this.deps;
    const lease = store.lease(leaseId);
    if (lease === undefined) return;
    journal.open({ ...lease, attempt, adopted });
    log.info({ leaseId, attempt, taskId: lease.taskId }, adopted ? "lease-adopted" : "lease-awarded");
  }

  /** The head when the journal began; a journal that was written to before this was kept has always been there. */
  private bornAt(): number {
    const { store, journal, reader } = this.deps;
    const known = store.meta(BORN_AT);
    if (known !== undefined) return Number(known);
    const bornAt = journal.isEmpty() ? (reader.lastReadable?.head.number ?? 0) : 0;
    store.setMeta(BORN_AT, String(bornAt));
    return bornAt;
  }
}

const keyOf = ({ leaseId, attempt }: Assignment) => `${leaseId}:${attempt}`;
