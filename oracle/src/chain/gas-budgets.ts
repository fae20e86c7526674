import { DekuperError } from "@dekuper/protocol";
import type { Address } from "viem";
import type { TransactionJournal } from "../journal/transactions.ts";
import { budgetOf, type Call, RESERVED_GAS_PER_ANSWER, RESERVED_GAS_PER_LEASE, takesLease } from "./calls.ts";
import type { Clock } from "./clock.ts";
import { type Fees, feesFor, suggestedTip } from "./fees.ts";
import type { ChainReader } from "./reader.ts";

export interface GasSettings {
  /** Wei per gas. */
  readonly maxFeePerGas: bigint;
  /** Wei a day for what can wait. */
  readonly dailyCap: bigint;
}

export interface GasBudgetDeps {
  readonly account: { readonly address: Address };
  readonly reader: Pick<ChainReader, "read" | "lastReadable">;
  readonly journal: Pick<TransactionJournal, "pending" | "spentSince">;
  readonly clock: Pick<Clock, "now">;
  readonly settings: GasSettings;
  /** Leases whose end must still be paid for. */
  readonly liveLeases: () => number;
  /** Leases whose delivery may still be disputed. */
  readonly disputableLeases: () => number;
}

const DAY_MS = 86_400_000;

/** What a call may cost (rule 31): what can wait never touches the reserve of the live leases, and has a cap a day. */
export class GasBudgets {
  private readonly deps: GasBudgetDeps;

  constructor(deps: GasBudgetDeps) {
    this.deps = deps;
  }

  async fees(): Promise<Fees> {
    const { reader, settings } = this.deps;
    const tip = await reader.read(suggestedTip);
    return feesFor(reader.lastReadable?.head.baseFee ?? 0n, tip, settings.maxFeePerGas);
  }

  /** Throws `INSUFFICIENT_GAS` or `GAS_CAP_REACHED`. */
  async check(call: Call, cost: bigint, maxFee: bigint): Promise<void> {
    const { reader, account, journal, settings, clock } = this.deps;
    const balance = await reader.read((client) => client.getBalance({ address: account.address }));
    const isCapped = budgetOf(call) === "capped";
    const reserve = isCapped ? this.reserve(call, maxFee) : 0n;
    if (balance < cost + reserve)
      throw new DekuperError("INSUFFICIENT_GAS", `${account.address} has too little coin for ${call.name}.`, {
        details: { address: account.address, balance, cost, reserve },
      });
    if (!isCapped) return;
    const spent = journal.spentSince("capped", clock.now() - DAY_MS);
    if (spent + cost > settings.dailyCap)
      throw new DekuperError("GAS_CAP_REACHED", `${call.name} would exceed the day's gas budget.`, {
        details: { spent, cost, dailyCap: settings.dailyCap },
      });
  }

  /** What must be left: the ends of the live leases and of those being taken, answers to claims, and what is sent but not yet paid. */
  private reserve(call: Call, maxFee: bigint): bigint {
    const pending = this.deps.journal.pending();
    const taken = pending.filter(({ purpose }) => takesLease(purpose)).length;
    const leases = this.deps.liveLeases() + taken + (takesLease(call.name) ? 1 : 0);
    const unpaid = pending.reduce((sum, { gas, sends }) => sum + gas * (sends.at(-1)?.maxFee ?? 0n), 0n);
    const answers = BigInt(this.deps.disputableLeases()) * RESERVED_GAS_PER_ANSWER;
    return (BigInt(leases) * RESERVED_GAS_PER_LEASE + answers) * maxFee + unpaid;
  }
}
