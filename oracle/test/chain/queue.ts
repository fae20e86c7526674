import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { type Call, RESERVED_GAS_PER_LEASE } from "../../src/chain/calls.ts";
import { TransactionQueue, type TransactionSettings } from "../../src/chain/transactions.ts";
import { TransactionJournal } from "../../src/journal/transactions.ts";
import { anAttestation, bytes32 } from "../journal/builders.ts";
import { openDatabase, reopenAfterCrash } from "../journal/crash.ts";
import { readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";

export const accept = (task: number): Call => ({ name: "acceptTask", args: [bytes32(task)] });
export const complete: Extract<Call, { name: "completeLease" }> = {
  name: "completeLease",
  args: [anAttestation(), "0x51"],
};
/** 100,000 by the estimate and a quarter more, at twice a base fee of 10 and a tip of 1. */
export const COST = 125_000n * 21n;
export const RESERVE = RESERVED_GAS_PER_LEASE * 21n;

export async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    assert.ok(tries < 2_000, "it has not come to that");
    await sleep(5);
  }
}

/** A queue on a chain made by hand, with what a test needs to move both. */
export async function startQueue(
  t: TestContext,
  change: Partial<TransactionSettings> & {
    liveLeases?: number;
    disputableLeases?: number;
    timeoutMs?: number;
  } = {},
) {
  const { db, dir } = openDatabase(t);
  const chain = new FakeChain(10);
  const { reader, rpcs, clock } = await readerOf(t, [chain], {
    timeoutMs: change.timeoutMs ?? 10_000,
  });
  const [rpc] = rpcs;
  assert.ok(rpc);
  await reader.look();
  const account = privateKeyToAccount(generatePrivateKey());
  const events: string[] = [];
  const steps: string[] = [];
  const queueOn = (journal: TransactionJournal) =>
    new TransactionQueue({
      account,
      chainId: chain.chainId,
      taskRegistry: `0x${"22".repeat(20)}`,
      liveness: `0x${"55".repeat(20)}`,
      reader,
      journal,
      clock,
      settings: { maxFeePerGas: 100n, dailyCap: 10n ** 15n, replaceAfterMs: 30_000, ...change },
      liveLeases: () => change.liveLeases ?? 0,
      disputableLeases: () => change.disputableLeases ?? 0,
      onEvent: (event) => events.push(event),
      onStep: (step) => {
        steps.push(`${step} (${rpc.count("eth_sendRawTransaction")} sent)`);
      },
    });
  const journal = new TransactionJournal(db, clock.now);
  const queue = queueOn(journal);
  const { signal } = new AbortController();
  /** A call that is waited for; its failure is looked at by whoever awaits it. */
  const submit = (call: Call, to = queue) => {
    const mined = to.submit(call, signal);
    mined.catch(() => undefined);
    return mined;
  };
  const look = async (to = queue) => {
    await reader.look();
    await to.poll();
  };
  /** Until the queue has sent so many transactions in all. */
  const sent = (count: number) => until(() => rpc.count("eth_sendRawTransaction") >= count);
  const mine = async () => {
    chain.mine();
    await look();
  };
  const restart = () => {
    const after = new TransactionJournal(reopenAfterCrash(t, dir).db, clock.now);
    return { queue: queueOn(after), journal: after };
  };
  return {
    chain,
    rpc,
    clock,
    reader,
    account,
    journal,
    queue,
    events,
    steps,
    submit,
    look,
    sent,
    mine,
    restart,
  };
}

export const sends = (rpc: { count(method: string): number }) => rpc.count("eth_sendRawTransaction");
