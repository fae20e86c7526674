import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { root } from "../lib/run-suite.ts";

/** What `dekuper demo --json` promises: every field, with the type that a script would rely on. */
export interface DemoJson {
  readonly chainId: number;
  readonly path: "open" | "quoted";
  readonly taskId: string;
  readonly namespace: string;
  readonly kubeconfig: string;
  readonly podUid: string;
  readonly outputPath: string;
  readonly outcome: string;
  readonly exitCode: number;
  readonly reserved: string;
  readonly paid: string;
  readonly fee: string;
  readonly refunded: string;
  readonly heartbeats: { readonly peers: number; readonly received: number };
  readonly transactions: readonly {
    readonly step: string;
    readonly actor: string;
    readonly gasUsed: string;
  }[];
  readonly timelineMs: Readonly<Record<string, number>>;
}

const DIGEST = /^0x[0-9a-f]{64}$/;
const ADDRESS = /^0x[0-9a-fA-F]{40}$/;
const UNITS = /^\d+$/;

/** Checks shape and sense of a demo's JSON. */
export function checkDemo(demo: DemoJson, providers: number): void {
  const matches = (pattern: RegExp, ...fields: string[]) => {
    for (const field of fields)
      assert.match(String(field.split(".").reduce<unknown>(follow, demo)), pattern, field);
  };
  matches(ADDRESS, "node", "contracts.nodeRegistry", "contracts.taskRegistry", "contracts.paymentEscrow");
  matches(DIGEST, "taskId", "leaseId", "salt", "outputDigest");
  matches(/^0x[0-9a-f]{130}$/, "signature");
  matches(UNITS, "reserved", "paid", "fee", "refunded");
  matches(/^[0-9a-f-]{36}$/, "podUid");
  matches(/^\S+@sha256:[0-9a-f]{64}$/, "image");
  matches(/^http/, "rpcUrl");
  assert.equal(demo.outcome, "Success");
  assert.equal(demo.exitCode, 0);
  assert.equal(BigInt(demo.paid) + BigInt(demo.refunded), BigInt(demo.reserved));
  assert.ok(BigInt(demo.fee) <= BigInt(demo.paid));
  const steps = demo.transactions.map(({ step }) => step);
  const ordering = demo.path === "quoted" ? ["createAndAward"] : ["createTask", "acceptTask"];
  for (const step of [...ordering, "startLease", "completeLease", "approve"])
    assert.ok(steps.includes(step), `${step} in ${steps.join(", ")}`);
  if (demo.path === "quoted") assert.ok(!steps.includes("acceptTask"), "the award assigns");
  for (const { gasUsed } of demo.transactions) assert.match(gasUsed, UNITS);
  const order = ["created", "accepted", "scheduled", "running", "completed", "settled"].map(
    (step) => demo.timelineMs[step] ?? Number.NaN,
  );
  assert.deepEqual(
    order,
    [...order].sort((a, b) => a - b),
  );
  if (providers > 1) assert.ok(demo.heartbeats.peers >= 1 && demo.heartbeats.received >= 1);
}

/** The verifier that shares no code with Dekuper, run on a demo's JSON. */
export function verify(demo: unknown): { ok: boolean; output: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "test/verify-result.mjs")], {
    input: JSON.stringify(demo),
    encoding: "utf8",
  });
  return { ok: status === 0, output: stdout + stderr };
}

function follow(value: unknown, key: string): unknown {
  return (value as Record<string, unknown>)[key];
}
