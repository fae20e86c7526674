import {
  DekuperError,
  type Deployment,
  type LivenessReport,
  type ReportAnswer,
  reportTypedData,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Committee } from "../chain/liveness.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { ReportSource } from "../peer/peer.ts";
import { type Changes, supportedOf } from "../plan/liveness.ts";
import type { LivenessView } from "./liveness-view.ts";

export interface CoSignerDeps {
  readonly deployment: Deployment;
  readonly account: PrivateKeyAccount;
  readonly reader: Pick<ChainReader, "look">;
  readonly view: LivenessView;
  readonly maySign: () => boolean;
}

/** Signs what this seat has seen itself, and nothing else (rule 24). */
export class CoSigner implements ReportSource {
  private readonly deps: CoSignerDeps;

  constructor(deps: CoSignerDeps) {
    this.deps = deps;
  }

  async answer(report: LivenessReport, asker: Address): Promise<ReportAnswer> {
    const committee = await this.committeeOf(report);
    if (!committee.seats.includes(asker)) throw refused(`${asker} holds no seat`);
    const issuedAt = await this.newestSeen(report.issuedAt);
    if (report.issuedAt > issuedAt)
      throw refused(`issuedAt is at most ${issuedAt}, the newest block here, not ${report.issuedAt}`);
    const { reportLife } = this.deps.view.standing?.rules ?? { reportLife: 0 };
    if (report.issuedAt + reportLife < issuedAt)
      throw refused(`issuedAt is at least ${issuedAt - reportLife}, not ${report.issuedAt}`);
    const supported = await this.supported(report);
    const isWhole =
      supported.offline.length === report.offline.length && supported.online.length === report.online.length;
    return isWhole ? { ...supported, signature: await this.sign(report) } : supported;
  }

  /** Throws `LEADER_LOCK_HELD` where another daemon has this key. */
  async sign(report: LivenessReport): Promise<Hex> {
    const { account, deployment, maySign } = this.deps;
    if (!maySign()) throw new DekuperError("LEADER_LOCK_HELD", "Nothing is signed: the key has two daemons.");
    return account.signTypedData(reportTypedData(deployment.chainId, deployment.liveness, report));
  }

  private async supported(report: LivenessReport): Promise<Changes> {
    const { view, account } = this.deps;
    const nodes = await view.read([...report.offline, ...report.online]);
    const { head } = view;
    if (head === undefined) return { offline: [], online: [] };
    const byNode = new Map(nodes.map((entry) => [entry.node, entry]));
    return supportedOf(report, account.address, (node) => byNode.get(node), view.hearing(), head);
  }

  /** The committee of the report's epoch, of which this node is a seat. */
  private async committeeOf({ epoch, committeeVersion }: LivenessReport): Promise<Committee> {
    const { view } = this.deps;
    let standing = view.standing;
    if (standing?.committee.epoch !== epoch || standing.committee.version !== committeeVersion)
      standing = await view.look();
    const { committee, candidacy } = standing;
    if (candidacy?.isSeated !== true) throw refused("this node holds no seat");
    if (committee.epoch !== epoch) throw refused(`the epoch is ${committee.epoch} here, not ${epoch}`);
    if (committee.version !== committeeVersion)
      throw refused(`the committee's version is ${committee.version} here, not ${committeeVersion}`);
    return committee;
  }

  private async newestSeen(wanted: number): Promise<number> {
    const { reader, view } = this.deps;
    if ((view.head?.timestamp ?? 0) < wanted) await reader.look();
    return view.head?.timestamp ?? 0;
  }
}

function refused(why: string): DekuperError {
  return new DekuperError("NOT_ALLOWED", `The report is not signed: ${why}.`);
}
