import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { Market } from "@dekuper/client";
import { formatSeconds, leaseId as leaseIdOf } from "@dekuper/protocol";
import { type Address, formatUnits, type Hex } from "viem";
import { aChainOrder } from "../../../client/test/chain-order.ts";
import { aProfile, startTestProvider, type TestProvider } from "../../../client/test/provider.ts";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

type Amounts = Readonly<Record<"free" | "reserved" | "earnings" | "stake" | "total", string>>;

interface PrintedStatement {
  readonly account: string;
  readonly opening: Amounts;
  readonly lines: readonly {
    readonly kind: string;
    readonly block: string;
    readonly time: string;
    readonly taskId?: string;
    readonly ranSeconds?: string;
    readonly downSeconds?: string;
    readonly ratePerHour?: string;
    readonly gross?: string;
    readonly fee?: string;
    readonly change: Amounts;
    readonly balance: Amounts;
    readonly faults: readonly unknown[];
  }[];
  readonly closing: Amounts;
  readonly check: { readonly agrees: boolean; readonly differences: readonly unknown[] };
}

const SPEC: Hex = `0x${"aa".repeat(32)}`;
const RATE = 6_000_000n;

/** Two hours at most, at 6 dUSD an hour. */
async function order(market: Market): Promise<Hex> {
  const hours = { maxDuration: 7_200, fundedSeconds: 7_200, failoverAfter: 120 };
  const { taskId } = await market.createTask(await aChainOrder(market, hours));
  return taskId;
}

/** `account statement`, and the runway of `account show`: of a consumer and an owner with no past but this. */
export function statement(get: () => MarketFixture): void {
  describe("account statement", () => {
    let consumer: { market: Market; key: Hex; address: Address };
    let provider: TestProvider;
    let env: { DEKUPER_PRIVATE_KEY: Hex };
    const run = (...args: readonly string[]) => get().runHere(["account", ...args], { env });
    const read = async (...args: readonly string[]) =>
      (await run("statement", ...args, "--json")).json<PrintedStatement>();

    const pass = async (seconds: number) => {
      const { control } = get().chain;
      await control.increaseTime({ seconds });
      await control.mine({ blocks: 1 });
    };

    before(async () => {
      const { chain } = get();
      consumer = await chain.account(1_000);
      provider = await startTestProvider(chain, aProfile());
      env = { DEKUPER_PRIVATE_KEY: consumer.key };
      await consumer.market.deposit(40_000_000n);
      await pass(86_400);
      const taskId = await order(consumer.market);
      const leaseId = leaseIdOf(taskId, 0);
      await provider.accept(taskId);
      await provider.start(leaseId);
      await pass(3_600);
      const { timestamp } = await consumer.market.head();
      await provider.complete({ taskId, leaseId, specDigest: SPEC, started: timestamp - 3_700n });
      await consumer.market.approve(leaseId);
    });

    it("explains to a consumer what was paid: seconds, downtime, rate and fee", async () => {
      const { stdout, code } = await run("statement");
      assert.equal(code, 0);
      const line = (await read()).lines.find(({ kind }) => kind === "Paid");
      assert.ok(line);
      const { ranSeconds = "", gross = "", fee = "" } = line;
      const [shownGross, shownFee] = [gross, fee].map((amount) => formatUnits(BigInt(amount), 6));
      assert.match(stdout, /^TIME {6}MOVEMENT +FREE +RESERVED +BALANCE$/m);
      assert.match(stdout, /^\d\d:\d\d:\d\d {2}Deposited +\+40 +40$/m);
      assert.match(stdout, /^\d\d:\d\d:\d\d {2}Reserved for 0x\w{8}… +-12 +\+12 +40$/m);
      assert.match(stdout, new RegExp(`^[\\d:]+ {2}Paid for 0x\\w{8}… +-${shownGross} `, "m"));
      const seconds = Number(ranSeconds).toLocaleString("en-US");
      const explained = [
        `ran ${seconds} s \\(${formatSeconds(Number(ranSeconds))}\\), never offline`,
        `${seconds} s at 6 dUSD per hour: ${shownGross} dUSD`,
        `of it ${shownFee} dUSD fee \\(1 %\\)`,
        `and [\\d.]+ dUSD to ${provider.owner}`,
      ];
      assert.match(stdout, new RegExp(`^ {10}${explained.join("; ")}$`, "m"));
      assert.match(stdout, /^checked: the chain has the same at block \d+\.$/m);
    });

    it("explains to an owner of nodes what was earned, and where the stake is", async () => {
      const { stdout, code } = await run("statement", provider.owner);
      assert.equal(code, 0);
      assert.match(stdout, /^TIME {6}MOVEMENT +FREE +EARNINGS +STAKE +BALANCE$/m);
      assert.match(stdout, /^[\d:]+ {2}Staked on 0x\w{4}…\w{4} +-200 +\+200 +500$/m);
      assert.match(stdout, /^[\d:]+ {2}Earned for 0x\w{8}… +\+[\d.]+ +[\d.]+$/m);
      assert.match(stdout, /; less [\d.]+ dUSD fee \(1 %\): [\d.]+ dUSD$/m);
      assert.match(stdout, /^earned +[\d.]+ dUSD \(fees of [\d.]+ dUSD taken off\)$/m);
    });

    it("says as JSON what each line changed, and the balances after it", async () => {
      const { account, lines, closing, check } = await read();
      assert.equal(account, consumer.address);
      assert.deepEqual(
        lines.map(({ kind }) => kind),
        ["Deposited", "Reserved", "Paid", "Released"],
      );
      assert.ok(check.agrees);
      const shown = (await run("show", "--json")).json<{ free: string; reserved: string }>();
      assert.equal(closing.free, shown.free);
      assert.equal(closing.reserved, shown.reserved);
      let total = 0n;
      for (const { change, balance, faults } of lines) {
        total += BigInt(change.total);
        assert.equal(balance.total, `${total}`);
        assert.deepEqual(faults, []);
      }
      const paid = lines.find(({ kind }) => kind === "Paid");
      const seconds = BigInt(paid?.ranSeconds ?? 0) - BigInt(paid?.downSeconds ?? 0);
      assert.equal(paid?.gross, `${(RATE * seconds) / 3_600n}`);
    });

    it("is a table for spreadsheets with --csv, and nothing else on stdout", async () => {
      const { stdout, stderr, code } = await run("statement", "--csv");
      assert.equal(code, 0);
      assert.equal(stderr, "");
      const [header = "", ...rows] = stdout.split("\r\n");
      assert.equal(rows.pop(), "");
      const columns = header.split(",");
      const records = rows.map((row) =>
        Object.fromEntries(row.split(",").map((cell, at) => [columns[at], cell])),
      );
      assert.deepEqual(
        records.map(({ movement }) => movement),
        ["Deposited", "Reserved", "Paid", "Released"],
      );
      assert.match(records[0]?.time ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.equal(records[1]?.free_change, "-12");
      assert.equal(records[2]?.rate_per_hour, "6");
      assert.equal(records[3]?.reserved_after, "0");
    });

    it("of some days or blocks opens with what was there before them", async () => {
      const whole = await read();
      const [deposited, reserved, paid] = whole.lines;
      assert.ok(deposited && reserved && paid);
      const day = (time: string) => new Date(Number(time) * 1_000).toISOString().slice(0, 10);
      const kinds = ({ lines }: PrintedStatement) => lines.map(({ kind }) => kind);
      const first = await read("--to", day(deposited.time));
      assert.deepEqual(kinds(first), ["Deposited"]);
      assert.equal(first.closing.free, "40000000");
      const later = await read("--from", reserved.block, "--to", reserved.block);
      assert.deepEqual(kinds(later), ["Reserved"]);
      assert.equal(later.opening.free, "40000000");
      const time = new Date(Number(paid.time) * 1_000).toISOString().slice(0, 19);
      assert.deepEqual(kinds(await read("--from", `${time}Z`)), ["Paid", "Released"]);
      const none = await run("statement", "--from", "2100-01-01");
      assert.match(none.stdout, /^period +2100-01-01 00:00:00Z to block \d+$/m);
      assert.match(none.stdout, /^No movements\.$/m);
    });

    it("breaks what explains a line between its phrases where the terminal ends", async () => {
      const { stdout } = await get().startOnTerminal(["account", "statement"], {
        env: { ...env, NO_COLOR: "1" },
      }).ended;
      const lines = stdout.split("\r\n");
      assert.ok(
        lines.every((line) => line.length <= 120),
        stdout,
      );
      assert.ok(
        lines.some((line) => /^ {10}ran .*;$/.test(line)),
        stdout,
      );
    });

    it("refuses what is neither block nor date, and a period that ends before it begins", async () => {
      for (const text of ["yesterday", "2026-02-30", "2026-1-1", "-1"]) {
        await expectError(get(), ["account", "statement", `--from=${text}`], {
          code: "USAGE",
          message: /as --from, expected a block or a date\.$/,
        });
      }
      await expectError(get(), ["account", "statement", "--from", "9", "--to", "8"], {
        code: "USAGE",
        message: /^--from 9 is after --to 8\.$/,
      });
    });

    it("is either CSV or JSON", async () => {
      const { code, stdout } = await run("statement", "--csv", "--json");
      assert.equal(code, 2);
      assert.match(stdout, /"--csv and --json exclude each other\."/);
    });
  });

  describe("account show", () => {
    it("says how long the money lasts while something runs", async () => {
      const { chain, runHere } = get();
      const consumer = await chain.account(1_000);
      const provider = await startTestProvider(chain, aProfile());
      await consumer.market.deposit(18_000_000n);
      const show = ["account", "show", consumer.address];
      assert.doesNotMatch((await runHere(show)).stdout, /runway/);
      const taskId = await order(consumer.market);
      const waiting = await runHere(show);
      assert.match(
        waiting.stdout,
        /^runway +nothing runs; 12 dUSD are reserved for what waits or has ended$/m,
      );
      await provider.accept(taskId);
      await provider.start(leaseIdOf(taskId, 0));
      await chain.control.increaseTime({ seconds: 1_800 });
      await chain.control.mine({ blocks: 1 });
      const running = await runHere(show);
      assert.match(running.stdout, /^burn +6 dUSD per hour for 1 running lease, 3[.\d]* dUSD so far$/m);
      assert.match(
        running.stdout,
        /^runway +reserved for 1h (29|30)m more; the free balance pays 1h at this rate$/m,
      );
      const { runway } = (await runHere([...show, "--json"])).json<{ runway: { burnPerHour: string } }>();
      assert.equal(runway.burnPerHour, "6000000");
    });
  });
}
