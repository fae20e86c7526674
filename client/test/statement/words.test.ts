import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Moved, makeStatement, wordsOf } from "@dekuper/client";
import { formatAmount } from "@dekuper/protocol";
import { address } from "../builders.ts";
import { taskId } from "./escrow-model.ts";

const [me, other, node] = [address(1), address(2), address(11)];
const amount = (value: bigint) => formatAmount(value, { symbol: "USDC", decimals: 6 });

/** The last of these lines in words, as one of the parties reads it. */
function lastLine(account: typeof me, ...moved: readonly Moved[]) {
  const movements = moved.map((each, index) => ({
    ...each,
    block: BigInt(index),
    time: 0n,
    hash: taskId(index),
    logIndex: 0,
  }));
  const { lines } = makeStatement(account, movements);
  const line = lines.at(-1);
  assert.ok(line);
  return wordsOf(line, { account }, amount);
}

const paid: Moved = {
  kind: "Paid",
  leaseId: taskId(100),
  taskId: taskId(0),
  consumer: me,
  owner: other,
  attempt: 2,
  ranSeconds: 5_400n,
  downSeconds: 45n,
  ratePerHour: 3_000_000n,
  gross: 4_462_500n,
  fee: 44_625n,
};
const staked: Moved = { kind: "StakeMoved", node, owner: me, amount: 9_000_000n, intoStake: true };

describe("a line in words", () => {
  it("explains a payment to who pays: seconds, downtime, rate, fee, and who earns", () => {
    const words = lastLine(me, paid);
    assert.equal(words.title, "Paid for");
    assert.deepEqual(words.subject, { kind: "task", id: taskId(0) });
    assert.deepEqual(words.explanation, [
      "ran 5,400 s (1h 30m), offline 45 s",
      "5,355 s at 3 USDC per hour: 4.4625 USDC",
      "of it 0.044625 USDC fee (1 %)",
      `and 4.417875 USDC to ${other}`,
      "attempt 2",
    ]);
  });

  it("says of a bond why it was posted, came back or was won", () => {
    const leaseId = taskId(100);
    const bond = { leaseId, amount: 1_000_000n };
    const posted = lastLine(me, { kind: "BondPosted", account: me, ...bond });
    assert.equal(posted.title, "Bond posted");
    assert.deepEqual(posted.explanation, [`with the claim that lease ${leaseId} was not delivered`]);
    const back = lastLine(me, { kind: "BondReturned", account: me, ...bond });
    assert.deepEqual(back.explanation, [`the claim on lease ${leaseId} was right or had no verdict`]);
    const won = lastLine(other, { kind: "BondAwarded", owner: other, ...bond });
    assert.equal(won.title, "Bond won");
    assert.deepEqual(won.explanation, [`the claim on lease ${leaseId} was answered: it had been delivered`]);
  });

  it("explains the same payment to who earns", () => {
    const words = lastLine(other, { ...paid, attempt: 1, downSeconds: 0n, gross: 4_500_000n, fee: 0n });
    assert.equal(words.title, "Earned for");
    assert.deepEqual(words.explanation, [
      "ran 5,400 s (1h 30m), never offline",
      "5,400 s at 3 USDC per hour: 4.5 USDC",
      "less 0 USDC fee (0 %): 4.5 USDC",
    ]);
  });

  it("claims no fee rate where the amounts are too small to tell", () => {
    const words = lastLine(me, { ...paid, ratePerHour: 60n, gross: 89n, fee: 0n });
    assert.equal(words.explanation[2], "of it 0 USDC fee");
  });

  it("says of a payment that does not recompute what it should have been", () => {
    const { faults } = lastLine(me, { ...paid, gross: 4_462_501n });
    assert.equal(faults[0], "the event says 4.462501 USDC, seconds and rate make 4.4625 USDC");
  });

  it("says who waited and whose stake paid for it", () => {
    const compensated: Moved = { kind: "Compensated", leaseId: taskId(100), node, owner: other, amount: 5n };
    const paying = lastLine(me, staked, compensated);
    assert.equal(paying.title, "Compensated by");
    assert.deepEqual(paying.subject, { kind: "node", id: node });
    assert.match(paying.explanation[0] ?? "", new RegExp(`^to ${other}, whose node had waited for it`));
    const earning = lastLine(other, compensated);
    assert.equal(earning.title, "Compensated");
    assert.match(earning.explanation[0] ?? "", new RegExp(`^from the stake of ${node}`));
  });

  it("says what a slash burned, and tells its reward apart", () => {
    const forfeited: Moved = {
      kind: "StakeForfeited",
      node,
      reporter: other,
      burned: 8_000_000n,
      reward: 1n,
    };
    const slashed = lastLine(me, staked, forfeited);
    assert.equal(slashed.title, "Slashed from");
    assert.deepEqual(slashed.explanation, [`8 USDC burned, 0.000001 USDC to ${other}`]);
    assert.equal(lastLine(other, forfeited).title, "Rewarded for");
  });

  it("names the other side of a deposit or withdrawal only where it is another", () => {
    const deposited = (from: typeof me): Moved => ({ kind: "Deposited", account: me, from, amount: 5n });
    assert.deepEqual(lastLine(me, deposited(me)).explanation, []);
    assert.deepEqual(lastLine(me, deposited(other)).explanation, [`by ${other}`]);
    const withdrawn: Moved = { kind: "Withdrawn", account: me, to: other, amount: 5n };
    assert.deepEqual(lastLine(me, deposited(me), withdrawn).explanation, [`to ${other}`]);
  });

  it("tells a gift from what was given away, and follows stake to another node", () => {
    const given: Moved = { kind: "Transferred", from: me, to: other, amount: 5n };
    assert.equal(lastLine(me, given).title, "Given away");
    assert.equal(lastLine(other, given).title, "Received");
    const moved = lastLine(me, staked, {
      kind: "StakeMigrated",
      from: node,
      to: address(12),
      amount: 9_000_000n,
    });
    assert.deepEqual(moved.explanation, [`9 USDC to ${address(12)}`]);
  });
});
