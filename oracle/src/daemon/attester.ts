import {
  byAddress,
  type Deployment,
  type LivenessReport,
  PRESENCE_TIMEOUT_MS,
  type ReportAnswer,
  reportInput,
  reportSigner,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { LivenessCall } from "../chain/calls.ts";
import type { Clock } from "../chain/clock.ts";
import { readBidders, type Standing } from "../chain/liveness.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { TransactionQueue } from "../chain/transactions.ts";
import type { PeerNode } from "../peer/peer.ts";
import { isTurnOf, planShowing, quorumOf, turnAt } from "../plan/committee.ts";
import { agreeOn, type Changes, isEmpty, planReport } from "../plan/liveness.ts";
import type { CoSigner } from "./co-signer.ts";
import type { LivenessView } from "./liveness-view.ts";
import type { Metrics } from "./metrics.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

export interface AttesterDeps {
  readonly deployment: Deployment;
  readonly node: Address;
  readonly reader: Pick<ChainReader, "read" | "view">;
  readonly queue: Pick<TransactionQueue, "submit" | "isPending">;
  readonly peer: Pick<PeerNode, "askReport" | "lastHeard">;
  readonly view: LivenessView;
  readonly coSigner: Pick<CoSigner, "sign">;
  readonly maySign: () => boolean;
  readonly metrics: Metrics["committee"];
  readonly clock: Clock;
  readonly log: Pick<OracleLog, "debug" | "info" | "warn">;
}

/** How often it looks: often enough for a pending report to be answered in time, milliseconds. */
const LEAST_POLL_MS = 1_000;
const MOST_POLL_MS = 3_000;
/** How long the others have to answer in one round. */
const ANSWER_MS = 2_500;
/** Rounds of questions for one report. */
const ROUNDS = 3;

const NOTHING: Changes = { offline: [], online: [] };

/** How this node stands with the committee, for /status. */
export interface AttesterStatus {
  readonly isSeated: boolean;
  readonly epoch: number | undefined;
  readonly lastReport: { readonly issuedAt: number; readonly signatures: number } | undefined;
}

/**
 * The node's part in the network's state on chain (rules 24 and 25). It answers a report about itself; where its owner bids,
 * it ends epochs in turn; where it holds a seat, it shows it, and in its turn proposes what it has seen change.
 */
export class Attester {
  private readonly deps: AttesterDeps;
  private readonly sending = new Set<LivenessCall["name"]>();
  private proposedIn: number | undefined;
  private lastReport: AttesterStatus["lastReport"];

  constructor(deps: AttesterDeps) {
    this.deps = deps;
  }

  get status(): AttesterStatus {
    const { standing } = this.deps.view;
    return {
      isSeated: standing?.candidacy?.isSeated ?? false,
      epoch: standing?.committee.epoch,
      lastReport: this.lastReport,
    };
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, view, log } = this.deps;
    while (!signal.aborted) {
      try {
        await this.round(signal);
      } catch (error) {
        if (!signal.aborted) log.info({ error: errorFields(error) }, "committee-not-seen");
      }
      const grace = view.standing?.rules.reportGrace ?? 0;
      await clock.sleep(Math.min(MOST_POLL_MS, Math.max(LEAST_POLL_MS, grace * 50)), signal);
    }
  }

  private async round(signal: AbortSignal): Promise<void> {
    const { reader, view, metrics, maySign } = this.deps;
    if (reader.view.evidence === "unreadable") return;
    const standing = await view.look();
    const { record, candidacy } = standing;
    const hearing = view.hearing();
    metrics.seat.set(candidacy?.isSeated === true ? 1 : 0);
    metrics.hearing.set(hearing.since === undefined ? 0 : 1);
    if (!maySign()) return;
    if (record.since !== 0) this.send({ name: "stillAlive", args: [], since: record.since }, signal);
    if (candidacy === undefined) return;
    await this.endEpoch(standing, signal);
    if (!candidacy.isSeated) return;
    const showing = planShowing(standing.committee, candidacy.seenIn, standing.rules, view.now);
    if (showing === "checkIn")
      this.send({ name: "checkIn", args: [], epoch: standing.committee.epoch }, signal);
    await this.propose(standing, showing === "emptyReport", signal);
  }

  /** Bidders take turns, so that one pays; whoever is elected first has no committee yet to do it. */
  private async endEpoch({ committee }: Standing, signal: AbortSignal): Promise<void> {
    const { reader, view, deployment, node } = this.deps;
    if ((view.head?.timestamp ?? 0) <= committee.epochEndsAt) return;
    const bidders = await reader.read((client) => readBidders(client, deployment));
    if (isTurnOf(node, bidders, view.now))
      this.send({ name: "rotate", args: [], epoch: committee.epoch }, signal);
  }

  private async propose(standing: Standing, isShowing: boolean, signal: AbortSignal): Promise<void> {
    const { view, node, log, metrics } = this.deps;
    const { committee, rules } = standing;
    const turn = turnAt(view.now);
    if (this.proposedIn === turn || this.sending.has("report")) return;
    // Who is cut off has nothing to say, and nobody to ask.
    if (!isTurnOf(node, committee.seats, view.now) || view.hearing().since === undefined) return;
    const changes = await this.changes(standing);
    const { head } = view;
    if (head === undefined || (isEmpty(changes) && !isShowing)) return;
    this.proposedIn = turn;
    const proposal = {
      epoch: committee.epoch,
      committeeVersion: committee.version,
      issuedAt: head.timestamp,
      ...changes,
    };
    const quorum = quorumOf(committee, rules);
    const agreed = await this.agree(proposal, committee.seats, quorum, signal);
    if (agreed === undefined) {
      metrics.reports.inc({ result: "no-quorum" });
      log.info({ ...counts(changes), quorum }, "report-without-quorum");
      return;
    }
    const { report, signatures } = agreed;
    log.info({ ...counts(report), signatures: signatures.length, quorum }, "report-agreed");
    this.lastReport = { issuedAt: report.issuedAt, signatures: signatures.length };
    metrics.lastReport.set(report.issuedAt);
    metrics.signatures.set(signatures.length);
    this.send({ name: "report", args: [reportInput(report), signatures] }, signal);
  }

  private async changes({ rules }: Standing): Promise<Changes> {
    const { view, clock } = this.deps;
    const isQuiet = (at: number | undefined) => at === undefined || clock.now() - at > PRESENCE_TIMEOUT_MS;
    const nodes = await view.suspects(isQuiet);
    return view.head === undefined
      ? NOTHING
      : planReport(nodes, view.hearing(), view.head, rules.reportCooldown);
  }

  /** Asks the others, and again for what a quorum has seen, until a quorum has signed one report; undefined: none did. */
  private async agree(
    proposal: LivenessReport,
    seats: readonly Address[],
    quorum: number,
    signal: AbortSignal,
  ): Promise<{ report: LivenessReport; signatures: Hex[] } | undefined> {
    const { node, coSigner } = this.deps;
    let report = proposal;
    for (let round = 0; round < ROUNDS; round++) {
      const own = { ...report, signature: await coSigner.sign(report) };
      const answers = await Promise.all(
        seats.map(async (seat) => ({
          seat,
          ...(seat === node ? own : await this.ask(seat, report, signal)),
        })),
      );
      const signed = answers.filter(({ signature }) => signature !== undefined);
      if (signed.length >= quorum) {
        const ascending = signed.sort((a, b) => byAddress(a.seat, b.seat));
        return { report, signatures: ascending.map(({ signature }) => signature as Hex) };
      }
      const kept = agreeOn(report, answers, quorum);
      if (isEmpty(kept)) return undefined;
      report = { ...report, ...kept };
    }
    return undefined;
  }

  /** What a seat has seen of a report. One that agrees to all of it and does not sign counts as having seen nothing. */
  private async ask(seat: Address, report: LivenessReport, signal: AbortSignal): Promise<ReportAnswer> {
    const { peer, deployment, clock, log } = this.deps;
    const heardAt = peer.lastHeard(seat);
    if (heardAt === undefined || clock.now() - heardAt > PRESENCE_TIMEOUT_MS) return NOTHING;
    try {
      const limited = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
      const answer = await peer.askReport(seat, report, limited);
      const { signature } = answer;
      const of = (asked: readonly Address[], seen: readonly Address[]) =>
        asked.filter((n) => seen.includes(n));
      const seen = { offline: of(report.offline, answer.offline), online: of(report.online, answer.online) };
      const isWhole =
        seen.offline.length === report.offline.length && seen.online.length === report.online.length;
      if (!isWhole) return seen;
      const { chainId, liveness } = deployment;
      if (signature !== undefined && (await reportSigner(chainId, liveness, report, signature)) === seat)
        return { ...seen, signature };
      log.info({ seat }, "signature-invalid");
    } catch (error) {
      log.debug({ seat, error: errorFields(error) }, "seat-not-asked");
    }
    return NOTHING;
  }

  /** Sends a call once at a time. It is simulated first: what somebody else has done meanwhile is refused without paying. */
  private send(call: LivenessCall, signal: AbortSignal): void {
    const { queue, log, metrics } = this.deps;
    if (this.sending.has(call.name) || queue.isPending(call)) return;
    this.sending.add(call.name);
    const count = (result: string) => {
      if (call.name === "report") metrics.reports.inc({ result });
      if (call.name === "stillAlive" && result === "sent") metrics.stillAlive.inc();
    };
    void queue
      .submit(call, signal)
      .then(({ hash, block }) => {
        count("sent");
        log.info({ call: call.name, txHash: hash, block }, "committee-call-mined");
      })
      .catch((error: unknown) => {
        if (signal.aborted) return;
        count("failed");
        log.info({ call: call.name, error: errorFields(error) }, "committee-call-failed");
      })
      .finally(() => this.sending.delete(call.name));
  }
}

const counts = ({ offline, online }: Changes) => ({ offline: offline.length, online: online.length });
