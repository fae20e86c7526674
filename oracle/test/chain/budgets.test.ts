import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { DekuperError } from "@dekuper/protocol";
import { type Call, RESERVED_GAS_PER_ANSWER } from "../../src/chain/calls.ts";
import { anAttestation, bytes32 } from "../journal/builders.ts";
import { accept, COST, complete, RESERVE, sends, startQueue } from "./queue.ts";

describe("the gas budgets", () => {
  it("let what can wait spend so much a day, and no more", async (t) => {
    const { submit, sent, mine, clock } = await startQueue(t, { dailyCap: COST * 2n });
    const first = submit(accept(1));
    await sent(1);
    await mine();
    await first;
    submit(accept(2));
    await sent(2);
    await assert.rejects(submit(accept(3)), { code: "GAS_CAP_REACHED", retryable: true });
    clock.ms += 86_400_001;
    submit(accept(3));
    await sent(3);
  });

  it("let a lease complete whatever the day has cost", async (t) => {
    const { submit, sent } = await startQueue(t, { dailyCap: 0n });
    await assert.rejects(submit(accept(1)), { code: "GAS_CAP_REACHED" });
    submit(complete);
    await sent(1);
  });

  it("let a replica commit and reveal whatever the day has cost: not revealing is slashed", async (t) => {
    const { submit, sent } = await startQueue(t, { dailyCap: 0n });
    submit({ name: "commitResult", args: [bytes32(1), 1, bytes32(2)] });
    await sent(1);
    submit({ name: "revealResult", args: [anAttestation(), "0x51", bytes32(3)] });
    await sent(2);
    await assert.rejects(submit({ name: "tallyResults", args: [bytes32(4)] }), { code: "GAS_CAP_REACHED" });
  });

  it("keep what the live leases need to end: nothing that can wait touches it", async (t) => {
    const { submit, sent, chain } = await startQueue(t, { liveLeases: 2 });
    chain.balance = COST + 2n * RESERVE;
    await assert.rejects(submit(accept(1)), { code: "INSUFFICIENT_GAS" });
    submit({ name: "settle", args: [bytes32(1)] });
    await sent(1);
    chain.balance = COST;
    submit(complete);
    await sent(2);
  });

  it("keep what an answer to a delivery claim may cost until the delivery is beyond dispute", async (t) => {
    const { submit, sent, chain } = await startQueue(t, { disputableLeases: 3 });
    const answers = 3n * RESERVED_GAS_PER_ANSWER * 21n;
    chain.balance = COST + answers - 1n;
    await assert.rejects(submit({ name: "settle", args: [bytes32(1)] }), { code: "INSUFFICIENT_GAS" });
    const others: Call = { name: "answerWithAttesters", args: [bytes32(1), false, ["0x01"]] };
    await assert.rejects(submit(others), { code: "INSUFFICIENT_GAS" });
    const own: Call[] = [
      { name: "answerWithReceipt", args: [bytes32(1), "0x01"] },
      { name: "answerWithAttesters", args: [bytes32(1), true, ["0x01"]] },
    ];
    for (const [index, call] of own.entries()) {
      submit(call);
      await sent(index + 1);
    }
  });

  it("count a lease that is being accepted, and what is sent but not yet paid", async (t) => {
    const { submit, sent, chain } = await startQueue(t);
    chain.includes = false;
    chain.balance = COST + RESERVE;
    submit(accept(1));
    await sent(1);
    await assert.rejects(submit(accept(2)), { code: "INSUFFICIENT_GAS" });
    chain.balance = 2n * (COST + RESERVE) - 1n;
    await assert.rejects(submit(accept(2)), { code: "INSUFFICIENT_GAS" });
    chain.balance = 2n * (COST + RESERVE);
    submit(accept(2));
    await sent(2);
  });
});

describe("a frozen queue", () => {
  it("signs and sends nothing any more, new, stuck or taken back by a reorg, and still sees what is mined", async (t) => {
    const { submit, sent, mine, look, queue, chain, clock, rpc, journal } = await startQueue(t);
    const mined = submit(accept(1));
    await sent(1);
    await mine();
    await mined;
    chain.includes = false;
    submit(accept(2));
    await sent(2);
    queue.freeze(new DekuperError("LEADER_LOCK_HELD", "Another daemon has the key."));
    await assert.rejects(submit(complete), { code: "LEADER_LOCK_HELD" });
    chain.drop(1);
    chain.mine("fork");
    chain.mine("fork");
    clock.ms += 60_000;
    for (let looks = 0; looks < 3; looks++) await look();
    assert.equal(sends(rpc), 2);
    assert.equal(journal.pending().length, 2);
  });
});
