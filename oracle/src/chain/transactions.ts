import { DekuperError, isDekuperError } from "@dekuper/protocol";
import { type Address, type Hex, keccak256 } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { JournalledTransaction, TransactionJournal } from "../journal/transactions.ts";
import { Backoff } from "./backoff.ts";
import { broadcast } from "./broadcast.ts";
import {
  budgetOf,
  type Call,
  type CallPurpose,
  type CallTargets,
  contractOf,
  encodeCall,
  purposeOf,
} from "./calls.ts";
import type { Clock } from "./clock.ts";
import { bumpedFees } from "./fees.ts";
import { type GasBudgetDeps, GasBudgets, type GasSettings } from "./gas-budgets.ts";
import type { ChainReader } from "./reader.ts";
import { revertedError, revertOf } from "./revert.ts";

export interface TransactionSettings extends GasSettings {
  /** Not mined after so long: replaced at a higher fee. Milliseconds. */
  readonly replaceAfterMs: number;
}

export interface TransactionQueueOptions extends GasBudgetDeps, CallTargets {
  readonly account: PrivateKeyAccount;
  readonly chainId: number;
  readonly reader: ChainReader;
  readonly journal: TransactionJournal;
  readonly clock: Clock;
  readonly settings: TransactionSettings;
  readonly onEvent?: (event: string, fields: Record<string, unknown>) => void;
  /** After each journalled step; tests stop the process here. */
  readonly onStep?: (step: string) => void;
}

/** A mined transaction. */
export interface Mined {
  readonly hash: Hex;
  readonly block: number;
}

/** Polls with a spent nonce and no receipt until it counts as somebody else's. */
const REPLACED_AFTER_POLLS = 20;

interface Waiter {
  readonly call: string;
  readonly resolve: (mined: Mined) => void;
  readonly reject: (error: DekuperError) => void;
}

/**
 * One queue per key: simulate, journal, send, wait, replace when stuck. What the journal holds is sent again after a
 * crash with the same nonce and bytes, so nothing is ever paid twice.
 */
export class TransactionQueue {
  private readonly options: TransactionQueueOptions;
  private readonly backoff = new Backoff(2_000, 5 * 60_000);
  private readonly waiters = new Map<number, Waiter[]>();
  private readonly strangers = new Map<number, number>();
  /** When a transaction was last handed to the RPCs by this process, Unix milliseconds. */
  private readonly sentHere = new Map<number, number>();
  private readonly budgets: GasBudgets;
  private tail: Promise<unknown> = Promise.resolve();
  private frozen: DekuperError | undefined;

  constructor(options: TransactionQueueOptions) {
    this.options = options;
    this.budgets = new GasBudgets(options);
  }

  /** Signs and sends nothing any more. */
  freeze(reason: DekuperError): void {
    this.frozen ??= reason;
  }

  /** Calls that a contract has refused and that wait for their next try. */
  get backingOff(): number {
    return this.backoff.waiting(this.options.clock.now());
  }

  get pending(): number {
    return this.options.journal.pending().length;
  }

  /**
   * Sends a call and waits until it is mined. The same call while it is pending joins it. Throws `TRANSACTION_REVERTED`
   * with the contract's reason (simulated: nothing was sent), `GAS_CAP_REACHED`, `INSUFFICIENT_GAS`, `RPC_UNAVAILABLE`.
   * When `signal` fires the transaction stays in the queue; only the waiting ends.
   */
  async submit(call: Call, signal: AbortSignal): Promise<Mined> {
    const id = await this.exclusively(() => this.enqueue(call));
    return this.mined(id, call.name, signal);
  }

  /** Whether a call is in the queue: sent, or to be sent again, and not mined yet. */
  isPending(call: CallPurpose): boolean {
    return this.pendingOf(call) !== undefined;
  }

  /** Waits for a call that is in the queue already; undefined: it is not. Throws what `submit` does of mining. */
  async join(call: CallPurpose, signal: AbortSignal): Promise<Mined | undefined> {
    const pending = this.pendingOf(call);
    return pending && this.mined(pending.id, call.name, signal);
  }

  /** Looks for receipts, sends again what a crash left, replaces what is stuck. Called after each look at the chain. */
  async poll(): Promise<void> {
    const { reader, journal, account } = this.options;
    const view = reader.view;
    if (view.evidence === "unreadable") return;
    for (const transaction of journal.unsettled()) await this.recheck(transaction, view.final.number);
    const pending = journal.pending();
    if (pending.length === 0) return;
    const nonce = await reader.read((client) => client.getTransactionCount({ address: account.address }));
    for (const transaction of pending) await this.exclusively(() => this.advance(transaction, nonce));
  }

  private exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => undefined); // The caller has the error; the next in line must not.
    return result;
  }

  private pendingOf(call: CallPurpose): JournalledTransaction | undefined {
    const purpose = purposeOf(call);
    return this.options.journal.pending().find((transaction) => transaction.purpose === purpose);
  }

  private async enqueue(call: Call): Promise<number> {
    const { journal, clock, reader } = this.options;
    const purpose = purposeOf(call);
    const joined = this.pendingOf(call);
    if (joined !== undefined) return joined.id;
    if (this.frozen !== undefined) throw this.frozen;
    if (reader.view.evidence === "unreadable")
      throw new DekuperError("RPC_UNAVAILABLE", `The chain cannot be read, so ${call.name} is not sent.`, {
        details: { reason: reader.view.reason },
      });
    const until = this.backoff.waitingUntil(purpose, clock.now());
    if (until !== undefined)
      throw new DekuperError("TRANSACTION_REVERTED", `${call.name} was refused and waits for its next try.`, {
        details: { call: call.name, until },
        retryable: true,
      });
    const gas = await this.simulate(call, purpose);
    const fees = await this.budgets.fees();
    await this.budgets.check(call, gas * fees.maxFee, fees.maxFee);
    const chainNonce = await reader.read((client) =>
      client.getTransactionCount({ address: this.options.account.address }),
    );
    const nonce = Math.max(chainNonce, (journal.highestNonce() ?? -1) + 1);
    const target = contractOf(call, this.options).address;
    const data = encodeCall(call);
    const signed = await this.sign({ target, nonce, data, gas, ...fees });
    const id = journal.prepare(
      { purpose, budget: budgetOf(call), nonce, target, data, gas },
      { ...signed, ...fees },
    );
    this.options.onStep?.(`prepared:${call.name}`);
    this.sentHere.set(id, this.options.clock.now());
    await this.send(id, signed, call.name);
    this.options.onStep?.(`sent:${call.name}`);
    return id;
  }

  private async simulate(call: Call, purpose: string): Promise<bigint> {
    const { reader, account, clock } = this.options;
    try {
      const gas = await reader.read((client) =>
        client.estimateContractGas({
          ...contractOf(call, this.options),
          functionName: call.name,
          args: call.args,
          account: account.address, // by its address alone viem asks for the estimate and for nothing else
        } as Parameters<typeof client.estimateContractGas>[0]),
      );
      return (gas * 5n) / 4n;
    } catch (error) {
      const revert = revertOf(error);
      if (revert === undefined) throw error;
      this.backoff.failed(purpose, clock.now());
      this.backoff.prune(clock.now());
      this.options.onEvent?.("call-refused", { call: call.name, purpose, reason: revert.name });
      throw revertedError(call.name, revert);
    }
  }

  private async sign(from: {
    target: Address;
    nonce: number;
    data: Hex;
    gas: bigint;
    maxFee: bigint;
    tip: bigint;
  }): Promise<{ raw: Hex; hash: Hex }> {
    if (this.frozen !== undefined) throw this.frozen;
    const raw = await this.options.account.signTransaction({
      type: "eip1559",
      chainId: this.options.chainId,
      to: from.target,
      nonce: from.nonce,
      data: from.data,
      gas: from.gas,
      maxFeePerGas: from.maxFee,
      maxPriorityFeePerGas: from.tip,
    });
    return { raw, hash: keccak256(raw) };
  }

  private async send(id: number, signed: { raw: Hex; hash: Hex }, call: string): Promise<void> {
    try {
      await broadcast(this.options.reader, signed.raw);
      this.options.onEvent?.("transaction-sent", { call, txHash: signed.hash });
    } catch (error) {
      if (isDekuperError(error, "RPC_UNAVAILABLE")) {
        this.options.onEvent?.("transaction-not-sent", { call, txHash: signed.hash });
        return; // It may have arrived: it stays pending and is sent again.
      }
      this.options.journal.finish(id, "refused");
      throw error;
    }
  }

  private mined(id: number, call: string, signal: AbortSignal): Promise<Mined> {
    return new Promise((resolve, reject) => {
      const known = this.options.journal.get(id);
      if (known !== undefined && known.state !== "pending")
        return this.conclude(known, { call, resolve, reject });
      const onAbort = () =>
        reject(new DekuperError("TIMED_OUT", `${call} was not mined in time; it stays in the queue.`));
      if (signal.aborted) return onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      const off = () => signal.removeEventListener("abort", onAbort);
      const waiter: Waiter = {
        call,
        resolve: (mined) => {
          off();
          resolve(mined);
        },
        reject: (error) => {
          off();
          reject(error);
        },
      };
      this.waiters.set(id, [...(this.waiters.get(id) ?? []), waiter]);
    });
  }

  private async advance(transaction: JournalledTransaction, chainNonce: number): Promise<void> {
    const { clock, settings } = this.options;
    if (this.options.journal.get(transaction.id)?.state !== "pending") return;
    if (await this.findReceipt(transaction)) return;
    if (chainNonce > transaction.nonce) {
      const polls = (this.strangers.get(transaction.id) ?? 0) + 1;
      this.strangers.set(transaction.id, polls);
      if (polls >= REPLACED_AFTER_POLLS) this.finish(transaction, "replaced");
      return;
    }
    const newest = transaction.sends.at(-1);
    if (newest === undefined || this.frozen !== undefined) return;
    const sentAt = this.sentHere.get(transaction.id);
    if (sentAt !== undefined && clock.now() - sentAt < settings.replaceAfterMs) return;
    this.sentHere.set(transaction.id, clock.now());
    if (sentAt !== undefined) await this.replace(transaction);
    else await broadcast(this.options.reader, newest.raw).catch(() => undefined); // Looked at again by the next poll.
  }

  private async replace(transaction: JournalledTransaction): Promise<void> {
    const before = transaction.sends.at(-1);
    if (before === undefined) return;
    const { settings, journal } = this.options;
    const current = await this.budgets.fees().catch(() => undefined);
    const fees = current === undefined ? undefined : bumpedFees(before, current, settings.maxFeePerGas);
    this.options.onEvent?.("transaction-stuck", { purpose: transaction.purpose, nonce: transaction.nonce });
    if (fees === undefined) {
      await broadcast(this.options.reader, before.raw).catch(() => undefined); // At the cap: the same again.
      return;
    }
    const signed = await this.sign({ ...transaction, ...fees });
    journal.addSend(transaction.id, { ...signed, ...fees });
    await broadcast(this.options.reader, signed.raw).catch(() => undefined);
  }

  private async findReceipt(transaction: JournalledTransaction): Promise<boolean> {
    for (const { hash } of transaction.sends.toReversed()) {
      const receipt = await this.receipt(hash);
      if (receipt === undefined) continue;
      const cost = receipt.gasUsed * receipt.effectiveGasPrice;
      const mined = { block: Number(receipt.blockNumber), cost };
      this.finish(transaction, receipt.status === "success" ? "mined" : "reverted", mined);
      return true;
    }
    return false;
  }

  private async receipt(hash: Hex) {
    return this.options.reader.read(async (client) => {
      try {
        return await client.getTransactionReceipt({ hash });
      } catch (error) {
        if (error instanceof Error && error.name === "TransactionReceiptNotFoundError") return undefined;
        throw error;
      }
    });
  }

  /** A reorg may take a mined transaction back until it was seen in a final block, however long nobody has looked. */
  private async recheck(transaction: JournalledTransaction, final: number): Promise<void> {
    for (const { hash } of transaction.sends) {
      const receipt = await this.receipt(hash);
      if (receipt === undefined) continue;
      if (receipt.blockNumber <= final) this.options.journal.settle(transaction.id);
      return;
    }
    this.options.onEvent?.("transaction-reorged", { purpose: transaction.purpose });
    this.sentHere.delete(transaction.id);
    this.options.journal.reopen(transaction.id);
  }

  private finish(
    transaction: JournalledTransaction,
    state: "mined" | "reverted" | "replaced",
    mined?: { block: number; cost: bigint },
  ): void {
    const { journal, clock } = this.options;
    journal.finish(transaction.id, state, mined);
    this.strangers.delete(transaction.id);
    this.sentHere.delete(transaction.id);
    this.options.onEvent?.(`transaction-${state}`, {
      purpose: transaction.purpose,
      txHash: transaction.sends.at(-1)?.hash,
      block: mined?.block,
      cost: mined?.cost,
    });
    if (state === "mined") this.backoff.succeeded(transaction.purpose);
    else this.backoff.failed(transaction.purpose, clock.now());
    const waiters = this.waiters.get(transaction.id) ?? [];
    this.waiters.delete(transaction.id);
    const after = journal.get(transaction.id);
    if (after !== undefined) for (const waiter of waiters) this.conclude(after, waiter);
  }

  private conclude(transaction: JournalledTransaction, waiter: Waiter): void {
    const hash = transaction.sends.at(-1)?.hash;
    if (transaction.state === "mined" && transaction.block !== undefined && hash !== undefined)
      waiter.resolve({ hash, block: transaction.block });
    else
      waiter.reject(
        new DekuperError("TRANSACTION_REVERTED", `${waiter.call} ended as ${transaction.state}.`, {
          details: { call: waiter.call, state: transaction.state, txHash: hash },
        }),
      );
  }
}
