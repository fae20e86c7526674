import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

interface Account {
  readonly free: string;
  readonly reserved: string;
  readonly walletBalance: string;
}

/** Money in and out. */
export function account(get: () => MarketFixture): void {
  const shown = async () => (await get().runHere(["account", "show", "--json"])).json<Account>();

  describe("account", () => {
    it("shows what is in the wallet, and how to deposit it", async () => {
      const { stdout, code } = await get().run(["account", "show"]);
      assert.equal(code, 0);
      assert.match(stdout, /^wallet +1000 dUSD {2}not deposited$/m);
      assert.match(stdout, /^free +0 dUSD {2}in escrow; withdraw at any time$/m);
      assert.match(stdout, /^next: dekuper account deposit "10 dUSD"$/m);
    });

    it("deposits by one transaction with a permit", async () => {
      const { stdout, code } = await get().run(["account", "deposit", "40 dUSD"]);
      assert.equal(code, 0);
      assert.match(stdout, /^Deposited 40 dUSD; 40 dUSD are free now\.$/m);
      assert.match(stdout, /^0x[0-9a-f]{64} {2}block \d+ {2}gas [\d,]+$/m);
      assert.match(stdout, /^next: dekuper task plan task\.yaml$/m);
      assert.equal((await shown()).free, "40000000");
    });

    it("deposits by approval where a permit is not wanted", async () => {
      const { consumer, runHere } = get();
      const ran = await runHere(["account", "deposit", "10", "--no-permit", "--json"]);
      const { amount, free, account: whose, hash } = ran.json<Record<string, string>>();
      assert.deepEqual(
        { amount, free, whose },
        { amount: "10000000", free: "50000000", whose: consumer.address },
      );
      assert.match(hash ?? "", /^0x[0-9a-f]{64}$/);
      assert.equal(ran.stderr, "");
    });

    it("withdraws to the account itself or to any other", async () => {
      const other = `0x${"42".repeat(20)}`;
      const before = await shown();
      const own = await get().runHere(["account", "withdraw", "4.5"]);
      assert.match(own.stdout, new RegExp(`^Withdrew 4.5 dUSD to ${get().consumer.address}\\.$`, "m"));
      const away = await get().runHere(["account", "withdraw", "5.5 dusd", "--to", other, "--json"]);
      assert.equal(away.json<{ to: string }>().to, other);
      const after = await shown();
      assert.equal(BigInt(before.free) - BigInt(after.free), 10_000_000n);
      assert.equal(BigInt(after.walletBalance) - BigInt(before.walletBalance), 4_500_000n);
    });

    it("shows another account when it is named", async () => {
      const { node, runHere } = get();
      const { stdout } = await runHere(["account", "show", node.owner]);
      assert.match(stdout, new RegExp(`^account +${node.owner}$`, "m"));
    });

    it("withdraws all that is free, and says so when nothing is", async () => {
      const { free } = await shown();
      const ran = await get().runHere(["account", "withdraw", "all", "--json"]);
      assert.equal(ran.json<{ amount: string }>().amount, free);
      await expectError(get(), ["account", "withdraw", "all"], {
        code: "INSUFFICIENT_FUNDS",
        message: /has 0 dUSD free in escrow\.$/,
      });
      assert.equal((await get().runHere(["account", "deposit", "50"])).code, 0);
    });

    it("cannot withdraw or deposit more than there is", async () => {
      await expectError(get(), ["account", "withdraw", "5000"], {
        code: "INSUFFICIENT_FUNDS",
        message: /has 50 dUSD free in escrow; 5000 dUSD are to be withdrawn/,
      });
      await expectError(get(), ["account", "deposit", "5000"], {
        code: "INSUFFICIENT_FUNDS",
        message: /5000 dUSD are to be deposited/,
      });
    });

    const amounts: readonly (readonly [text: string, expected: RegExp])[] = [
      ["abc", /Got "abc", expected an amount such as 40 dUSD/],
      ["-5", /Got "-5", expected an amount/],
      ["0", /expected an amount above zero/],
      ["1.0000001", /expected at most 6 digits after the point/],
      ["5 EUR", /expected an amount in dUSD/],
    ];
    for (const [text, message] of amounts) {
      it(`refuses ${text} as an amount`, async () => {
        await expectError(get(), ["account", "deposit", text], { code: "UNIT_INVALID", message });
      });
    }

    it("refuses what is no address", async () => {
      await expectError(get(), ["account", "withdraw", "1", "--to", "0x12"], {
        code: "USAGE",
        message: /Got "0x12" as --to, expected 0x and 40 hex digits/,
      });
    });
  });
}
