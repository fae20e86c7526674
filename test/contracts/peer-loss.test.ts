import { expect } from "chai";
import { DOLLAR, digest, loadFixture, nextBlockAt, people } from "./market.ts";
import { first, marketWithProviders, member, runningGang, second, third } from "./providers.ts";

const { consumer, stranger } = people;
const three = [first, second, third];

describe("A peer's loss (rule 16)", () => {
  it("is recorded for exits around the gang's stop, and moves no money", async () => {
    const market = await loadFixture(marketWithProviders);
    for (const [outcome, apart, isRecorded] of [
      [1, 120n, true],
      [1, 121n, false],
      [0, 10n, false],
      [6, -100n, true],
    ] as const) {
      const { task, clockStart } = await runningGang(market, three, { ratePerHour: 36n * DOLLAR });
      const lostAt = clockStart + 300n;
      await nextBlockAt(lostAt);
      await market.tasks.connect(third.operator).failLease(member(task, 2).leaseId, 1, digest("lost"));
      const ended = lostAt + apart;
      await nextBlockAt(lostAt + 130n);
      const call = market.complete(member(task, 0), { ended, outcome }, stranger, first.operator);
      const recorded = expect(call).to;
      if (isRecorded) {
        await recorded
          .emit(market.tasks, "PeerLossRecorded")
          .withArgs(member(task, 0).leaseId, task.taskId, first.operator.address);
      } else await recorded.not.emit(market.tasks, "PeerLossRecorded");
      expect((await market.tasks.getLease(member(task, 0).leaseId)).billedSeconds).to.equal(
        apart < 0n ? 200n : 300n,
      );
      await market.tasks.connect(consumer).cancelTask(task.taskId);
    }
  });
});
