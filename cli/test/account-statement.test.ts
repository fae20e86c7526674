/** What a statement looks like that no real chain would give: wrong lines, and a terminal that is too narrow. */
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, it } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type CheckedStatement, checkStatement, type Movement, makeStatement } from "@dekuper/client";
import type { Network } from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import { readPeriod } from "../src/commands/account/period.ts";
import { printStatement } from "../src/commands/account/statement-page.ts";
import { wrapped } from "../src/commands/account/wrapped.ts";
import { type Streams, Terminal } from "../src/output/terminal.ts";

const [me, other, node]: Address[] = ["11", "22", "33"].map((byte) => `0x${byte.repeat(20)}` as const);
const taskId: Hex = `0x${"ab".repeat(32)}`;
const token = { address: "0x" as const, symbol: "USDC", decimals: 6 };
const network = { name: "test", deployment: { chainId: 1 } } as unknown as Network;

function movements(gross: bigint): Movement[] {
  assert.ok(me && other && node);
  const place = (block: bigint) =>
    ({ block, time: 1_767_225_600n + block * 43_200n, hash: taskId, logIndex: 0 }) as const;
  return [
    { ...place(1n), kind: "Deposited", account: me, from: me, amount: 400_000_000n },
    { ...place(2n), kind: "StakeMoved", node, owner: me, amount: 100_123_456n, intoStake: true },
    { ...place(3n), kind: "Reserved", consumer: me, taskId, amount: 10_123_456n },
    {
      ...place(4n),
      ...{ kind: "Paid", leaseId: taskId, taskId, consumer: me, owner: me, attempt: 1 },
      ...{ ranSeconds: 3_600n, downSeconds: 0n, ratePerHour: 6_000_000n, gross, fee: 60_000n },
    },
  ];
}

function checked(list: readonly Movement[], chainFree?: bigint): CheckedStatement {
  assert.ok(me);
  const statement = makeStatement(me, list);
  const balances = { ...statement.now, free: chainFree ?? statement.now.free };
  const check = checkStatement(statement, { block: 9n, balances, stakes: statement.stakes });
  return { ...statement, check };
}

async function printed(statement: CheckedStatement, columns?: number): Promise<string> {
  const stdout = new PassThrough();
  const streams = { stdout: Object.assign(stdout, { columns }) } as unknown as Streams;
  printStatement(new Terminal(streams, false), statement, token, network);
  stdout.end();
  return stripVTControlCharacters(await text(stdout));
}

describe("a printed statement", () => {
  it("groups its lines by day and has a column for each purse in use", async () => {
    const page = await printed(checked(movements(6_000_000n)));
    assert.match(page, /^TIME +MOVEMENT +FREE +RESERVED +EARNINGS +STAKE +BALANCE$/m);
    assert.deepEqual(page.match(/^\d{4}-\d\d-\d\d$/gm), ["2026-01-01", "2026-01-02", "2026-01-03"]);
    assert.match(page, /^12:00:00 {2}Reserved for 0xabababab… +-10\.123456 +\+10\.123456 +400$/m);
    assert.match(page, /^ +closing balance +289\.753088 +4\.123456 +5\.94 +100\.123456 +399\.94$/m);
    assert.match(page, /^checked: the chain has the same at block 9\.$/m);
  });

  it("puts the purses below each line where the terminal is too narrow for their columns", async () => {
    const page = await printed(checked(movements(6_000_000n)), 80);
    assert.match(page, /^TIME +MOVEMENT +BALANCE$/m);
    assert.match(page, /^ {10}free -10\.123456, reserved \+10\.123456$/m);
    assert.match(page, /^ {10}reserved -6, earnings \+5\.94; ran 3,600 s \(1h\), never offline;$/m);
    assert.ok(page.split("\n").every((line) => line.length <= 80));
  });

  it("marks a line that does not recompute, and says so at the end", async () => {
    const page = await printed(checked(movements(6_500_000n)));
    assert.match(page, /^ {10}wrong: the event says 6\.5 USDC, seconds and rate make 6 USDC$/m);
    assert.match(page, /^1 line of this account does not recompute\.$/m);
    assert.doesNotMatch(page, /^checked/m);
  });

  it("says what the chain has where its lines do not make it", async () => {
    const page = await printed(checked(movements(6_000_000n), 1n));
    assert.match(page, /^free: the lines make 289\.753088 USDC, the chain has 0\.000001 USDC at block 9\.$/m);
    assert.doesNotMatch(page, /^checked/m);
  });
});

describe("phrases", () => {
  it("are broken between each other first, within one only where it is too long alone", () => {
    const phrases = ["one two", "three", "a phrase that is too long"];
    assert.deepEqual(wrapped(phrases, 2, 20), ["  one two; three;", "  a phrase that is", "  too long"]);
    assert.deepEqual(wrapped(phrases, 2, undefined), ["  one two; three; a phrase that is too long"]);
    assert.deepEqual(wrapped(["", "one"], 0, 20), ["one"]);
    assert.deepEqual(wrapped([], 2, 20), []);
  });
});

describe("a period", () => {
  it("ends with the last second of the day, minute or second that is named", () => {
    const time = (iso: string) => ({ time: BigInt(Date.parse(iso) / 1_000) });
    assert.deepEqual(readPeriod("2026-01-31", "2026-01-31"), {
      from: time("2026-01-31T00:00:00Z"),
      to: time("2026-01-31T23:59:59Z"),
    });
    assert.deepEqual(readPeriod("2026-01-31T12:30Z", "2026-01-31 12:30"), {
      from: time("2026-01-31T12:30:00Z"),
      to: time("2026-01-31T12:30:59Z"),
    });
    assert.deepEqual(readPeriod(undefined, "2026-01-31 12:30:05Z").to, time("2026-01-31T12:30:05Z"));
    assert.deepEqual(readPeriod("7", undefined), { from: { block: 7n }, to: undefined });
  });
});
