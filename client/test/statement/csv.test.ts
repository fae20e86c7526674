import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { csvCell, makeStatement, purses, statementCsv, totalOf } from "@dekuper/client";
import fc from "fast-check";
import { formatUnits, parseUnits } from "viem";
import { accounts, histories } from "./escrow-model.ts";

const token = { symbol: "USDC", decimals: 6 };

/** RFC 4180, read without regard to how it was written. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [[]];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at] ?? "";
    if (quoted && char === '"' && text[at + 1] === '"') {
      cell += char;
      at++;
    } else if (char === '"') quoted = !quoted;
    else if (!quoted && char === ",") {
      rows.at(-1)?.push(cell);
      cell = "";
    } else if (!quoted && char === "\r" && text[at + 1] === "\n") {
      rows.at(-1)?.push(cell);
      cell = "";
      rows.push([]);
      at++;
    } else cell += char;
  }
  assert.ok(!quoted && cell === "" && rows.at(-1)?.length === 0, "the last line is whole");
  return rows.slice(0, -1);
}

function recordsOf(text: string): Record<string, string>[] {
  const [header = [], ...rows] = parseCsv(text);
  return rows.map((row) => {
    assert.equal(row.length, header.length);
    return Object.fromEntries(header.map((name, at) => [name, row[at] ?? ""]));
  });
}

describe("a statement as CSV", () => {
  it("has a record for each line, from which all balances add up again", () => {
    fc.assert(
      fc.property(histories, fc.constantFrom(...accounts), (history, account) => {
        const statement = makeStatement(account, history.movements);
        const records = recordsOf(statementCsv(statement, token));
        assert.equal(records.length, statement.lines.length);
        const sums: Record<string, bigint> = {};
        for (const record of records) {
          for (const purse of purses) {
            sums[purse] = (sums[purse] ?? 0n) + parseUnits(record[`${purse}_change`] ?? "", 6);
            assert.equal(record[`${purse}_after`], formatUnits(sums[purse], 6));
          }
        }
        for (const purse of purses) assert.equal(sums[purse] ?? 0n, statement.now[purse]);
        assert.equal(records.at(-1)?.balance_after ?? "0", formatUnits(totalOf(statement.now), 6));
      }),
    );
  });

  it("has in a payment what its gross is made of, and in other lines nothing there", () => {
    fc.assert(
      fc.property(histories, fc.constantFrom(...accounts), (history, account) => {
        for (const record of recordsOf(statementCsv(makeStatement(account, history.movements), token))) {
          if (record.movement !== "Paid") {
            assert.equal(record.gross, "");
            continue;
          }
          const [ran = "", down = "", paid = ""] = [
            record.ran_seconds,
            record.down_seconds,
            record.paid_seconds,
          ];
          assert.equal(BigInt(paid), BigInt(ran) - BigInt(down));
          const rate = parseUnits(record.rate_per_hour ?? "", 6);
          assert.equal(record.gross, formatUnits((rate * BigInt(paid)) / 3600n, 6));
        }
      }),
    );
  });

  it("reads back every text as it was, whatever is in it", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const [[read] = []] = parseCsv(`${csvCell(text)}\r\n`);
        assert.ok(read === text || read === `'${text}`, JSON.stringify(text));
      }),
    );
  });

  it("gives no spreadsheet a formula to run", () => {
    for (const start of ["=", "+", "-", "@", "\t", "\r", "|", " =", "\n+"]) {
      const [[read] = []] = parseCsv(`${csvCell(`${start}HYPERLINK("http://evil.example","x")`)}\r\n`);
      assert.match(read ?? "", /^'/, JSON.stringify(start));
    }
    const [account = "0x"] = accounts;
    const place = { block: 1n, time: 0n, hash: `0x${"01".repeat(32)}`, logIndex: 0 } as const;
    const statement = makeStatement(account, [
      { kind: "Deposited", account, from: account, amount: 5n, ...place },
    ]);
    const [record] = recordsOf(statementCsv(statement, { symbol: "=cmd|' /C calc'!A0", decimals: 6 }));
    assert.equal(record?.token, "'=cmd|' /C calc'!A0");
  });

  it("leaves numbers numbers, those below zero too", () => {
    for (const number of ["-1.5", "-3", "0", "12345678901234567890.000001"])
      assert.equal(csvCell(number), number);
  });
});
