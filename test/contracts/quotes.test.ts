import { expect } from "chai";
import { addNode, attesters } from "./committee.ts";
import {
  busyLocalMarket,
  DOLLAR,
  digest,
  ethers,
  isInstrumented,
  loadFixture,
  type Market,
  nextBlockAt,
  now,
  type OrderInput,
  orderHash,
  people,
  profile,
  type QuoteInput,
} from "./market.ts";
import { conserving, first, marketWithProviders, second, third } from "./providers.ts";

const { consumer, operator, owner, stranger, otherOperator } = people;

async function send(
  market: Market,
  order: OrderInput,
  changes: Partial<QuoteInput> = {},
  { signer = operator, caller = consumer } = {},
) {
  const { quote, signature } = await market.quote(order, 0, changes, operator, signer);
  return market.tasks.connect(caller).createAndAward(order, [quote], [signature], []);
}

describe("A quote (rule 8)", () => {
  it("gives its node the lease at its rate and start window in one transaction", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const taskId = await market.nextTaskId(order, consumer.address);
    const leaseId = await market.tasks.leaseIdOf(taskId, 0);
    const at = (await now()) + 10n;
    const offer = { ratePerHour: 6n * DOLLAR, startWindow: 300 };
    const { quote, signature } = await market.quote(order, 0, offer);
    await nextBlockAt(at);
    const call = market.tasks.connect(consumer).createAndAward(order, [quote], [signature], []);
    await expect(call)
      .to.emit(market.tasks, "LeaseAssigned")
      .withArgs(leaseId, taskId, operator.address, 1, 6n * DOLLAR, at + 300n, true);
    await expect(call)
      .to.emit(market.escrow, "Reserved")
      .withArgs(consumer.address, taskId, 6n * DOLLAR);
    const lease = await market.tasks.getLease(leaseId);
    expect([lease.status, lease.reserved, lease.lock]).to.deep.equal([2n, 6n * DOLLAR, 10n * DOLLAR]);
    expect((await market.tasks.getTask(taskId)).seed).to.equal(ethers.ZeroHash);
    expect(await market.tasks.isQuoteVoid(operator.address, quote.nonce)).to.equal(true);
  });

  const refused: readonly [string, Partial<QuoteInput>, string, readonly unknown[]][] = [
    ["another member", { memberIndex: 1 }, "WrongMember", [1, 0]],
    [
      "another consumer",
      { consumer: stranger.address },
      "QuoteForAnother",
      [0, stranger.address, consumer.address],
    ],
    ["another verification", { verification: 1 }, "WrongVerification", [0, 1, 0]],
    [
      "a rate above the order's",
      { ratePerHour: 10n * DOLLAR + 1n },
      "RateAboveCap",
      [0, 10_000_001, 10_000_000],
    ],
    ["no rate", { ratePerHour: 0n }, "RateAboveCap", [0, 0, 10_000_000]],
    ["a longer start window than the order's", { startWindow: 901 }, "StartWindowOutOfRange", [901, 900]],
    ["no start window", { startWindow: 0 }, "StartWindowOutOfRange", [0, 900]],
  ];
  for (const [what, change, error, values] of refused) {
    it(`is refused for ${what}`, async () => {
      const market = await loadFixture(busyLocalMarket);
      await expect(send(market, await market.order(), change))
        .to.be.revertedWithCustomError(market.tasks, error)
        .withArgs(...values);
      expect(await market.tasks.nonces(consumer.address)).to.equal(0n);
    });
  }

  it("is refused for another order, also where only the funded seconds differ", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const other = { ...order, fundedSeconds: 60 };
    await expect(send(market, order, { orderHash: orderHash(other) }))
      .to.be.revertedWithCustomError(market.tasks, "WrongOrder")
      .withArgs(0, orderHash(other), orderHash(order));
  });

  it("holds to its expiry and not a second longer, and expires within maxQuoteLife", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const at = (await now()) + 100n;
    await nextBlockAt(at);
    await expect(send(market, order, { expiry: at - 1n }))
      .to.be.revertedWithCustomError(market.tasks, "QuoteExpired")
      .withArgs(0, at - 1n, at);
    await nextBlockAt(at + 1n);
    await expect(send(market, order, { expiry: at + 302n }))
      .to.be.revertedWithCustomError(market.tasks, "QuoteTooLong")
      .withArgs(0, at + 302n, at + 301n);
    await nextBlockAt(at + 2n);
    await send(market, order, { expiry: at + 302n });
    await nextBlockAt(at + 3n);
    await send(market, order, { expiry: at + 3n });
    expect(await market.tasks.nonces(consumer.address)).to.equal(2n);
  });

  it("is its node's own signature", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    await expect(send(market, order, {}, { signer: otherOperator }))
      .to.be.revertedWithCustomError(market.tasks, "WrongQuoteSigner")
      .withArgs(0, otherOperator.address, operator.address);
    const { quote, signature } = await market.quote(order);
    const cheaper = { ...quote, ratePerHour: 1n };
    await expect(
      market.tasks.connect(consumer).createAndAward(order, [cheaper], [signature], []),
    ).to.be.revertedWithCustomError(market.tasks, "WrongQuoteSigner");
    expect(await market.tasks.quoteHash(quote)).not.to.equal(await market.tasks.quoteHash(cheaper));
  });

  it("is used once, also by the consumer that it is for", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const { quote, signature } = await market.quote(order);
    const call = () => market.tasks.connect(consumer).createAndAward(order, [quote], [signature], []);
    await call();
    await expect(call())
      .to.be.revertedWithCustomError(market.tasks, "QuoteVoid")
      .withArgs(operator.address, quote.nonce);
  });

  it("is worthless to who copies it from the mempool, and still good for its consumer", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.fund(stranger, 100n * DOLLAR);
    const order = await market.order();
    const { quote, signature } = await market.quote(order);
    await expect(market.tasks.connect(stranger).createAndAward(order, [quote], [signature], []))
      .to.be.revertedWithCustomError(market.tasks, "QuoteForAnother")
      .withArgs(0, consumer.address, stranger.address);
    await market.tasks.connect(consumer).createAndAward(order, [quote], [signature], []);
    expect(await market.tasks.nonces(consumer.address)).to.equal(1n);
  });

  it("is cancelled by its node alone, one by one", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    for (const nonce of [1000n, 2n ** 200n + 255n]) {
      await market.tasks.connect(operator).cancelQuote(nonce);
      const others = [nonce - 256n, nonce - 1n, nonce + 1n, nonce + 256n, 2n * nonce];
      const areVoid = [nonce, ...others].map((each) => market.tasks.isQuoteVoid(operator.address, each));
      expect(await Promise.all(areVoid)).to.deep.equal([true, false, false, false, false, false]);
    }
    await market.tasks.connect(stranger).cancelQuote(7);
    expect(await market.tasks.isQuoteVoid(operator.address, 7)).to.equal(false);
    await expect(market.tasks.connect(operator).cancelQuote(7))
      .to.emit(market.tasks, "QuoteCancelled")
      .withArgs(operator.address, 7);
    await expect(market.tasks.connect(operator).cancelQuote(7))
      .to.be.revertedWithCustomError(market.tasks, "QuoteVoid")
      .withArgs(operator.address, 7);
    await expect(send(market, order, { nonce: 7n })).to.be.revertedWithCustomError(market.tasks, "QuoteVoid");
    await send(market, order, { nonce: 8n });
    expect(await market.tasks.isQuoteVoid(operator.address, 8)).to.equal(true);
  });

  it("is cancelled with all others below a nonce, which only rises", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    await expect(market.tasks.connect(operator).cancelQuotes(1000))
      .to.emit(market.tasks, "QuotesCancelled")
      .withArgs(operator.address, 1000);
    for (const below of [1000, 999]) {
      await expect(market.tasks.connect(operator).cancelQuotes(below))
        .to.be.revertedWithCustomError(market.tasks, "QuoteVoid")
        .withArgs(operator.address, below);
    }
    await expect(send(market, order, { nonce: 999n })).to.be.revertedWithCustomError(
      market.tasks,
      "QuoteVoid",
    );
    await send(market, order, { nonce: 1000n });
    expect(await market.tasks.nonces(consumer.address)).to.equal(1n);
  });

  it("is void once its node is revoked or drained (rule 4), and below the owner's floor", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    const nodes = market.nodes.connect(owner);
    await nodes.setFloor(operator.address, { perGpuHour: 5n * DOLLAR, perVCpuHour: 1 });
    await expect(send(market, order))
      .to.be.revertedWithCustomError(market.nodes, "RateBelowFloor")
      .withArgs(10n * DOLLAR, 10n * DOLLAR + 8n);
    await nodes.setFloor(operator.address, { perGpuHour: 0, perVCpuHour: 0 });
    await nodes.drain(operator.address);
    await expect(send(market, order))
      .to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus")
      .withArgs(operator.address, 2);
    await nodes.revokeOperator(operator.address);
    await expect(send(market, order))
      .to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus")
      .withArgs(operator.address, 3);
  });

  it("is checked against stake and capacity as they are at the award", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order();
    await market.nodes.connect(owner).unstake(operator.address, 300n * DOLLAR);
    await expect(send(market, order))
      .to.be.revertedWithCustomError(market.nodes, "StakeTooLow")
      .withArgs(operator.address, 700n * DOLLAR, 800n * DOLLAR);
    await market.fund(owner, 300n * DOLLAR);
    await market.nodes.connect(owner).stake(operator.address, 300n * DOLLAR);
    await market.nodes.connect(operator).updateProfile(operator.address, profile({ gpus: 1 }));
    await expect(send(market, order)).to.be.revertedWithCustomError(market.nodes, "CapacityExceeded");
  });
});

describe("An order with quotes (rules 8 and 27)", () => {
  it("takes as many quotes and signatures as leases", async () => {
    const market = await loadFixture(busyLocalMarket);
    const order = await market.order({ leases: 2, gpus: 1 });
    const { quotes, signatures } = await market.offers(order);
    const tasks = market.tasks.connect(consumer);
    await expect(tasks.createAndAward(order, quotes.slice(1), signatures, []))
      .to.be.revertedWithCustomError(market.tasks, "QuotesMismatch")
      .withArgs(2, 1, 2);
    await expect(tasks.createAndAward(order, quotes, signatures.slice(1), []))
      .to.be.revertedWithCustomError(market.tasks, "QuotesMismatch")
      .withArgs(2, 2, 1);
    await expect(tasks.createAndAward(order, quotes.toReversed(), signatures.toReversed(), []))
      .to.be.revertedWithCustomError(market.tasks, "WrongMember")
      .withArgs(1, 0);
    for (const leases of [0, 65]) {
      await expect(tasks.createAndAward({ ...order, leases }, [], [], []))
        .to.be.revertedWithCustomError(market.tasks, "LeasesOutOfRange")
        .withArgs(leases, 64);
    }
    await expect(tasks.createAndAward({ ...order, leases: 64 }, [], [], []))
      .to.be.revertedWithCustomError(market.tasks, "QuotesMismatch")
      .withArgs(64, 0, 0);
  });

  it("is refused with a verification that is not built (rule 22)", async () => {
    const market = await loadFixture(busyLocalMarket);
    for (const verification of [2, 3]) {
      await expect(market.award({ verification }))
        .to.be.revertedWithCustomError(market.tasks, "UnsupportedVerification")
        .withArgs(verification);
    }
  });

  it("is stopped by the pause", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.tasks.connect(people.guardian).pause();
    await expect(market.award()).to.be.revertedWithCustomError(market.tasks, "IsPaused");
  });

  it("is awarded over several providers at their own rates, or not at all", async () => {
    const market = await loadFixture(marketWithProviders);
    const by = [first, second, third];
    const order = await market.order({ leases: 3 });
    const { quotes, signatures } = await market.offers(
      order,
      by.map((provider) => provider.operator),
    );
    const drained = market.nodes.connect(third.owner);
    await drained.drain(third.operator.address);
    const call = () => market.tasks.connect(consumer).createAndAward(order, quotes, signatures, []);
    await expect(call()).to.be.revertedWithCustomError(market.nodes, "WrongNodeStatus");
    for (const [index, { operator: node }] of by.entries()) {
      expect((await market.nodes.stakeOf(node.address)).locked).to.equal(0n);
      expect(await market.tasks.isQuoteVoid(node.address, quotes[index]?.nonce ?? 0n)).to.equal(false);
    }
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(0n);
    await drained.resume(third.operator.address);
    await conserving(market, call);
    for (const { operator: node } of by) {
      expect((await market.nodes.stakeOf(node.address)).locked).to.equal(10n * DOLLAR);
    }
    expect(await market.escrow.reservedOf(consumer.address)).to.equal(30n * DOLLAR);
  });

  it("may give one provider several leases, up to its capacity", async () => {
    const market = await loadFixture(busyLocalMarket);
    await expect(market.award({ leases: 5 })).to.be.revertedWithCustomError(market.nodes, "CapacityExceeded");
    const { taskId } = await market.award({ leases: 4 });
    expect((await market.nodes.available(operator.address)).gpus).to.equal(0n);
    expect((await market.tasks.getTask(taskId)).leaseCount).to.equal(4n);
    expect((await market.tasks.getGang(taskId)).live).to.equal(4n);
  });

  it("reserves nothing that the consumer has not", async () => {
    const market = await loadFixture(busyLocalMarket);
    await market.escrow.connect(consumer).withdraw(consumer.address, 9961n * DOLLAR);
    await expect(market.award({ leases: 4 }))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
      .withArgs(consumer.address, 40n * DOLLAR, 39n * DOLLAR);
  });
});

describe("A gang of 64 (rule 8)", () => {
  const many = attesters(64, 200);
  const small = { gpus: 0, vCpus: 1, memoryMiB: 1024n, leases: 64 };

  async function marketOf64(): Promise<Market> {
    const market = await busyLocalMarket();
    for (const provider of many) await addNode(market, provider);
    return market;
  }

  it("is awarded, started, lost and wound up in transactions that fit into a block", async () => {
    const market = await loadFixture(marketOf64);
    const order = await market.order({ ...small, maxAttempts: 2, isPrivate: true });
    const { quotes, signatures } = await market.offers(
      order,
      many.map((provider) => provider.operator),
    );
    const wraps = await Promise.all(
      many.map((provider) => market.wrap(provider.operator.address, { wrap: `0x${"a5".repeat(200)}` })),
    );
    const taskId = await market.nextTaskId(order, consumer.address);
    const tasks = market.tasks;
    const used: Record<string, bigint> = {};
    const spend = async (what: string, sent: Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>) => {
      used[what] = (await (await sent).wait())?.gasUsed ?? 0n;
    };
    await spend("award", tasks.connect(consumer).createAndAward(order, quotes, signatures, wraps));
    const leaseIds = await Promise.all(many.map((_, index) => tasks.leaseIdOf(taskId, index)));
    for (const [index, leaseId] of leaseIds.entries()) {
      await spend("start", tasks.connect(many[index]?.operator).startLease(leaseId, 1));
    }
    const asFirst = tasks.connect(many[0]?.operator);
    await nextBlockAt((await now()) + 60n);
    await spend("fail", asFirst.failLease(leaseIds[0] as string, 1, digest("lost")));
    await nextBlockAt((await now()) + 60n);
    const { replaceUntil } = await tasks.getGang(taskId);
    await nextBlockAt(replaceUntil + 1n);
    await spend("wind down", tasks.connect(stranger).expire(leaseIds[0] as string));
    for (const [what, gas] of Object.entries(used)) {
      // EIP-7825: no transaction may use more.
      if (!isInstrumented) expect(gas, what).to.be.at.most(16_777_216n);
    }
    expect((await market.escrow.earningsOf(many[1]?.owner.address ?? "")) > 0n).to.equal(true);
  }).timeout(600_000);
});
