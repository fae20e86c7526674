import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Balances,
  checkStatement,
  type Moved,
  type Movement,
  makeStatement,
  type PaidMovement,
  type Period,
  purses,
  totalOf,
} from "@dekuper/client";
import { gross } from "@dekuper/protocol";
import fc from "fast-check";
import { address } from "../builders.ts";
import { accounts, histories, nodesOf, taskId } from "./escrow-model.ts";

const each = fc.constantFrom(...accounts);
const blocks = fc.bigInt(5n, 45n);
const plus = (left: Balances, right: Balances) =>
  Object.fromEntries(purses.map((purse) => [purse, left[purse] + right[purse]]));

describe("a statement", () => {
  it("ends with what the escrow's own books say, for every account and history", () => {
    fc.assert(
      fc.property(histories, each, (history, account) => {
        const { now, stakes, faulty } = makeStatement(account, history.movements);
        assert.deepEqual(now, history.balancesOf(account));
        for (const [node, stake] of stakes) assert.equal(stake, history.stakeOf(node));
        assert.deepEqual(faulty, []);
      }),
    );
  });

  it("has in each line the balance before it and its change, nothing else", () => {
    fc.assert(
      fc.property(histories, each, blocks, blocks, (history, account, from, to) => {
        const period: Period = { from: { block: from }, to: { block: to } };
        const { opening, lines, closing } = makeStatement(account, history.movements, period);
        let balance = opening;
        for (const line of lines) {
          assert.deepEqual(line.balance, plus(balance, line.change));
          balance = line.balance;
        }
        assert.deepEqual(closing, balance);
      }),
    );
  });

  it("of a period and of the one after it are that of both together", () => {
    fc.assert(
      fc.property(histories, each, blocks, (history, account, block) => {
        const first = makeStatement(account, history.movements, { to: { block } });
        const second = makeStatement(account, history.movements, { from: { block: block + 1n } });
        const whole = makeStatement(account, history.movements);
        assert.deepEqual([...first.lines, ...second.lines], whole.lines);
        assert.deepEqual(second.opening, first.closing);
        assert.deepEqual(second.closing, whole.now);
        assert.deepEqual(first.now, whole.now);
      }),
    );
  });

  it("says by what reasons the whole grew or shrank", () => {
    fc.assert(
      fc.property(histories, each, blocks, (history, account, block) => {
        const { opening, closing, totals } = makeStatement(account, history.movements, { from: { block } });
        const came =
          totals.deposited +
          totals.earned +
          totals.compensationReceived +
          totals.rewards +
          totals.received +
          totals.bondsReturned +
          totals.bondsWon;
        const went =
          totals.withdrawn +
          totals.given +
          totals.paid +
          totals.compensationPaid +
          totals.bondsPosted +
          totals.earningsWithdrawn +
          totals.slashed;
        assert.equal(totalOf(closing) - totalOf(opening), came - went);
      }),
    );
  });

  it("does not depend on the order in which movements were read", () => {
    fc.assert(
      fc.property(
        histories.chain((history) =>
          fc.tuple(
            fc.constant(history),
            fc.shuffledSubarray([...history.movements], { minLength: history.movements.length }),
          ),
        ),
        each,
        ([history, shuffled], account) => {
          const lines = makeStatement(account, history.movements).lines;
          assert.deepEqual(makeStatement(account, shuffled).lines, lines);
        },
      ),
    );
  });

  it("knows an address with and without its checksum", () => {
    const account = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
    const lower = account.toLowerCase() as typeof account;
    const movement = at(1n, { kind: "Deposited", account, from: account, amount: 5n });
    assert.equal(makeStatement(lower, [movement]).now.free, 5n);
  });

  it("of a period by time holds what happened in its first and in its last second", () => {
    const times = [100n, 101n, 102n, 103n];
    const movements = times.map((time) => ({
      ...at(time, { kind: "Deposited", account: accounts[0] ?? "0x", from: address(9), amount: 1n }),
      time,
    }));
    const { lines, opening, closing } = makeStatement(accounts[0] ?? "0x", movements, {
      from: { time: 101n },
      to: { time: 102n },
    });
    assert.deepEqual(
      lines.map(({ movement }) => movement.time),
      [101n, 102n],
    );
    assert.equal(opening.free, 1n);
    assert.equal(closing.free, 3n);
  });

  it("lists a run that was paid nothing, and nothing that moved nothing", () => {
    const [consumer = "0x"] = accounts;
    const movements = [
      at(1n, aPayment({ ranSeconds: 60n, downSeconds: 60n, gross: 0n, fee: 0n })),
      at(2n, { kind: "Released", consumer, taskId: taskId(0), amount: 0n }),
      at(3n, { kind: "Deposited", account: address(7), from: consumer, amount: 5n }),
    ];
    const { lines } = makeStatement(consumer, movements);
    assert.deepEqual(
      lines.map(({ movement }) => movement.kind),
      ["Paid"],
    );
  });

  it("tells what is left of live tasks' reservations", () => {
    const [consumer = "0x"] = accounts;
    const movements = [
      at(1n, { kind: "Deposited", account: consumer, from: consumer, amount: 20_000_000n }),
      at(2n, { kind: "Reserved", consumer, taskId: taskId(0), amount: 5_000_000n }),
      at(3n, { kind: "Reserved", consumer, taskId: taskId(1), amount: 1_000_000n }),
      at(4n, { kind: "Reserved", consumer, taskId: taskId(0), amount: 2_000_000n }),
      at(5n, aPayment({})),
      at(6n, { kind: "Released", consumer, taskId: taskId(1), amount: 1_000_000n }),
    ] as const;
    const { reservations, faulty } = makeStatement(consumer, movements);
    assert.deepEqual([...reservations], [[taskId(0), 4_000_000n]]);
    assert.deepEqual(faulty, []);
  });
});

describe("a payment", () => {
  const kindsOf = (change: Partial<PaidMovement>) => {
    const paid = aPayment(change);
    const reserve = {
      kind: "Reserved",
      consumer: paid.consumer,
      taskId: paid.taskId,
      amount: paid.gross,
    } as const;
    const deposit = {
      kind: "Deposited",
      account: paid.consumer,
      from: paid.consumer,
      amount: paid.gross,
    } as const;
    const movements = paid.gross > 0n ? [at(1n, deposit), at(2n, reserve), at(3n, paid)] : [at(3n, paid)];
    return makeStatement(paid.owner, movements).faulty.flatMap(({ faults }) =>
      faults.map(({ kind }) => kind),
    );
  };
  const payments = fc
    .record({
      ranSeconds: fc.bigInt(0n, 2_592_000n),
      down: fc.bigInt(0n, 100n),
      ratePerHour: fc.bigInt(0n, 1_000_000_000_000n),
      bps: fc.nat(500),
    })
    .map(({ ranSeconds, down, ratePerHour, bps }) => {
      const downSeconds = (ranSeconds * down) / 100n;
      const pay = gross(ratePerHour, ranSeconds - downSeconds);
      return { ranSeconds, downSeconds, ratePerHour, gross: pay, fee: (pay * BigInt(bps)) / 10_000n };
    });

  it("recomputes from seconds, rate and any fee rate that is allowed", () => {
    fc.assert(fc.property(payments, (paid) => assert.deepEqual(kindsOf(paid), [])));
  });

  it("is marked where gross is not what seconds and rate make, by as little as one base unit", () => {
    fc.assert(
      fc.property(payments, fc.constantFrom(-1n, 1n), (paid, by) => {
        fc.pre(paid.gross + by >= 0n);
        assert.ok(kindsOf({ ...paid, gross: paid.gross + by }).includes("gross"));
      }),
    );
  });

  it("is marked where other seconds or another rate would have made another amount", () => {
    fc.assert(
      fc.property(payments, fc.bigInt(1n, 1000n), fc.boolean(), (paid, by, isRate) => {
        const changed = isRate
          ? { ...paid, ratePerHour: paid.ratePerHour + by }
          : { ...paid, ranSeconds: paid.ranSeconds + by };
        fc.pre(gross(changed.ratePerHour, changed.ranSeconds - changed.downSeconds) !== paid.gross);
        assert.deepEqual(kindsOf(changed), ["gross"]);
      }),
    );
  });

  it("is marked where the fee is above 5 %, or no whole basis point makes it", () => {
    fc.assert(
      fc.property(payments, (paid) => {
        fc.pre(paid.gross > 0n);
        assert.deepEqual(kindsOf({ ...paid, fee: (paid.gross * 500n) / 10_000n + 1n }), ["fee"]);
      }),
    );
    assert.deepEqual(kindsOf({ fee: 30_001n }), ["fee"]);
    assert.deepEqual(kindsOf({ fee: -1n }), ["fee"]);
  });

  it("is marked where it was offline for longer than it ran", () => {
    assert.deepEqual(kindsOf({ ranSeconds: 10n, downSeconds: 11n, gross: 0n, fee: 0n }), ["downtime"]);
  });

  it("is marked where the task had reserved less", () => {
    const paid = aPayment({});
    const { faulty } = makeStatement(paid.consumer, [
      at(1n, { kind: "Deposited", account: paid.consumer, from: paid.consumer, amount: 9_000_000n }),
      at(2n, { kind: "Reserved", consumer: paid.consumer, taskId: paid.taskId, amount: 1_000_000n }),
      at(3n, { kind: "Reserved", consumer: paid.consumer, taskId: taskId(5), amount: 8_000_000n }),
      at(4n, paid),
    ]);
    assert.deepEqual(
      faulty.map(({ faults }) => faults),
      [[{ kind: "over-reservation", taskId: paid.taskId, short: 2_000_000n }]],
    );
  });

  it("to oneself is one line that costs the fee", () => {
    const [account = "0x"] = accounts;
    const { lines } = makeStatement(account, [at(1n, aPayment({ owner: account }))]);
    assert.deepEqual(
      lines.map(({ change }) => change),
      [{ free: 0n, reserved: -3_000_000n, earnings: 2_970_000n, stake: 0n }],
    );
  });
});

describe("a check", () => {
  it("agrees with the escrow's books, and names what one base unit more or less of it is", () => {
    fc.assert(
      fc.property(
        histories,
        each,
        fc.constantFrom(...purses),
        fc.constantFrom(-1n, 0n, 1n),
        (history, account, purse, by) => {
          const statement = makeStatement(account, history.movements);
          const [victim] = [...statement.stakes.keys()];
          const balances = history.balancesOf(account);
          const off = purse !== "stake" || victim !== undefined ? by : 0n;
          const chain = {
            block: 9n,
            balances: { ...balances, [purse]: balances[purse] + off },
            stakes: new Map(
              nodesOf(account).map((node) => [
                node,
                history.stakeOf(node) + (purse === "stake" && node === victim ? off : 0n),
              ]),
            ),
          };
          const check = checkStatement(statement, chain);
          assert.equal(check.agrees, off === 0n);
          assert.deepEqual(
            check.differences.map((difference) => [difference.purse, difference.chain - difference.lines]),
            off === 0n ? [] : [[purse, off]],
          );
        },
      ),
    );
  });

  it("fails when any movement but a free run is missing", () => {
    fc.assert(
      fc.property(histories, each, fc.nat(), (history, account, pick) => {
        const whole = makeStatement(account, history.movements);
        const moving = whole.lines.filter(({ change }) => purses.some((purse) => change[purse] !== 0n));
        fc.pre(moving.length > 0);
        const lost = moving[pick % moving.length]?.movement;
        const rest = makeStatement(
          account,
          history.movements.filter((movement) => movement !== lost),
        );
        const chain = {
          block: 9n,
          balances: history.balancesOf(account),
          stakes: new Map(nodesOf(account).map((node) => [node, history.stakeOf(node)])),
        };
        assert.equal(checkStatement(rest, chain).agrees, false);
      }),
    );
  });
});

/** An hour and a half less half an hour offline at 3 dollars an hour, with a fee of 1 %. */
function aPayment(change: Partial<PaidMovement>): PaidMovement {
  return {
    kind: "Paid",
    leaseId: taskId(100),
    taskId: taskId(0),
    consumer: accounts[0] ?? "0x",
    owner: accounts[1] ?? "0x",
    attempt: 1,
    ranSeconds: 5_400n,
    downSeconds: 1_800n,
    ratePerHour: 3_000_000n,
    gross: 3_000_000n,
    fee: 30_000n,
    ...change,
  };
}

/** A movement in a block of its own. */
function at(block: bigint, moved: Moved): Movement {
  return { ...moved, block, time: block * 12n, hash: taskId(Number(block)), logIndex: 0 };
}
