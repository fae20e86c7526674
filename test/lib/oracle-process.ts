import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { isAlive, signalProcess } from "@dekuper/kubernetes/processes";
import type { Hex } from "viem";
import { startOracle } from "../../cli/src/network/provider.ts";
import type { LocalProcess, LocalProvider } from "../../cli/src/network/state.ts";
import type { NetworkFixture } from "./network-fixture.ts";

/** Columns of the oracle's journal that a test may wait for. */
export type JournalStep =
  | "accepted"
  | "ensured"
  | "inputs_sent"
  | "started"
  | "log_taken"
  | "sealed"
  | "attested"
  | "signed"
  | "posted";

const CONDITIONS: Readonly<Record<JournalStep, string>> = {
  accepted: "accepted_at IS NOT NULL",
  ensured: "ensured_at IS NOT NULL",
  inputs_sent: "inputs_sent_at IS NOT NULL",
  started: "started_at IS NOT NULL",
  log_taken: "log_taken_at IS NOT NULL",
  sealed: "sealed_json IS NOT NULL",
  attested: "EXISTS (SELECT 1 FROM attestations a WHERE a.lease_id = attempts.lease_id)",
  signed: "signature IS NOT NULL",
  posted: "posted_at IS NOT NULL",
};

/** Reads an oracle's journal from outside, read-only, while it runs. */
export class JournalView {
  private readonly database: DatabaseSync;

  constructor(provider: LocalProvider) {
    this.database = new DatabaseSync(journalFile(provider), { readOnly: true, timeout: 2_000 });
  }

  has(leaseId: Hex, step: JournalStep): boolean {
    const found = this.database
      .prepare(`SELECT 1 FROM attempts WHERE lease_id = ? AND ${CONDITIONS[step]}`)
      .get(leaseId);
    return found !== undefined;
  }

  attestations(leaseId: Hex): number {
    return Number(
      this.database.prepare("SELECT count(*) AS n FROM attestations WHERE lease_id = ?").get(leaseId)?.n,
    );
  }

  close(): void {
    this.database.close();
  }
}

/** Polls every oracle's journal until one has taken the step for this lease. */
export async function untilStep(
  network: NetworkFixture,
  leaseId: Hex,
  step: JournalStep,
  timeoutMs = 90_000,
): Promise<LocalProvider> {
  const views = network.record.providers.map((provider) => ({ provider, view: new JournalView(provider) }));
  const deadline = Date.now() + timeoutMs;
  try {
    for (;;) {
      const found = views.find(({ view }) => view.has(leaseId, step));
      if (found !== undefined) return found.provider;
      if (Date.now() > deadline)
        throw new Error(`no oracle reached "${step}" for ${leaseId} in ${timeoutMs} ms`);
      await sleep(2);
    }
  } finally {
    for (const { view } of views) view.close();
  }
}

export function attestationsOf(provider: LocalProvider, leaseId: Hex): number {
  const view = new JournalView(provider);
  try {
    return view.attestations(leaseId);
  } finally {
    view.close();
  }
}

export async function killOracle(network: NetworkFixture, provider: LocalProvider): Promise<void> {
  const oracle = processOf(network, `${provider.name} oracle`);
  signalProcess(oracle.identity.pid, "SIGKILL");
  while (isAlive(oracle.identity)) await sleep(10);
}

/** Starts it again; `env` sets what its configuration does not say. */
export async function restartOracle(
  network: NetworkFixture,
  provider: LocalProvider,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await startOracle(network.state, provider, { env });
}

/** Stops a process's clock, as an outage that no connection error announces. */
export function pauseProcess(network: NetworkFixture, name: string): void {
  signalProcess(processOf(network, name).identity.pid, "SIGSTOP");
}

export function resumeProcess(network: NetworkFixture, name: string): void {
  signalProcess(processOf(network, name).identity.pid, "SIGCONT");
}

/** The newest process of that name. */
export function processOf(network: NetworkFixture, name: string): LocalProcess {
  const found = network.state.load()?.processes.findLast((process) => process.name === name);
  if (found === undefined) throw new Error(`no process ${name}`);
  return found;
}

function journalFile(provider: LocalProvider): string {
  return join(provider.oracleDir, "state", "oracle.sqlite");
}
