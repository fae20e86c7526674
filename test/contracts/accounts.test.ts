import { expect } from "chai";
import type { HDNodeWallet } from "ethers";
import {
  busyLocalMarket,
  DOLLAR,
  digest,
  ethers,
  loadFixture,
  type Market,
  networkHelpers,
  nextBlockAt,
  now,
  people,
} from "./market.ts";
import { type ForwardRequest, permit, request } from "./permit.ts";
import { conserving } from "./providers.ts";

const { consumer, operator, owner, stranger } = people;
const carrier = stranger;
const SOON = 1000n;

/** A consumer with 100 dollars of the token and no ETH at all. */
async function penniless(market: Market): Promise<HDNodeWallet> {
  const poor = ethers.HDNodeWallet.fromPhrase(
    "test test test test test test test test test test test junk",
    undefined,
    "m/44'/60'/0'/0/777",
  ).connect(ethers.provider) as HDNodeWallet;
  await networkHelpers.setBalance(poor.address, 0n);
  await market.token.mint(poor.address, 100n * DOLLAR);
  return poor;
}

/** Deposit by permit, half a dollar for the carrier, and an order. */
async function threeCalls(market: Market, poor: HDNodeWallet) {
  const deadline = (await now()) + SOON;
  const { v, r, s } = await permit(market, poor, 60n * DOLLAR, deadline);
  const escrow = await market.escrow.getAddress();
  const tasks = await market.tasks.getAddress();
  const order = await market.order();
  const calls = [
    [
      escrow,
      market.escrow.interface.encodeFunctionData("depositWithPermit", [60n * DOLLAR, deadline, v, r, s]),
    ],
    [escrow, market.escrow.interface.encodeFunctionData("transferFree", [carrier.address, DOLLAR / 2n])],
    [tasks, market.tasks.interface.encodeFunctionData("createTask", [order])],
  ] as const;
  const requests: ForwardRequest[] = [];
  for (const [index, [to, data]] of calls.entries()) {
    requests.push(await request(market, poor, to, data, deadline, BigInt(index)));
  }
  return { requests, taskId: await market.nextTaskId(order, poor.address), deadline };
}

describe("Free balance", () => {
  it("may be given to another account, and nobody else's may", async () => {
    const market = await loadFixture(busyLocalMarket);
    await conserving(market, async () => {
      await expect(market.escrow.connect(consumer).transferFree(stranger.address, 3n * DOLLAR))
        .to.emit(market.escrow, "Transferred")
        .withArgs(consumer.address, stranger.address, 3n * DOLLAR);
      expect(await market.escrow.freeOf(stranger.address)).to.equal(3n * DOLLAR);
      await expect(market.escrow.connect(stranger).transferFree(consumer.address, 3n * DOLLAR + 1n))
        .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
        .withArgs(stranger.address, 3n * DOLLAR + 1n, 3n * DOLLAR);
      await market.createTask(); // what is reserved is not free
      const free = await market.escrow.freeOf(consumer.address);
      await expect(
        market.escrow.connect(consumer).transferFree(stranger.address, free + 1n),
      ).to.be.revertedWithCustomError(market.escrow, "InsufficientFree");
    });
  });

  it("is never given to nobody, nor to the escrow itself, nor in no amount", async () => {
    const market = await loadFixture(busyLocalMarket);
    const escrow = market.escrow.connect(consumer);
    for (const to of [ethers.ZeroAddress, await market.escrow.getAddress()]) {
      await expect(escrow.transferFree(to, 1))
        .to.be.revertedWithCustomError(market.escrow, "InvalidRecipient")
        .withArgs(to);
    }
    await expect(escrow.transferFree(stranger.address, 0)).to.be.revertedWithCustomError(
      market.escrow,
      "ZeroAmount",
    );
  });
});

describe("A consumer that has the payment token and no ETH (rule 29)", () => {
  it("deposits, pays its carrier and orders in one transaction of the carrier's", async () => {
    const market = await loadFixture(busyLocalMarket);
    const poor = await penniless(market);
    const { requests, taskId } = await threeCalls(market, poor);
    await market.forwarder.connect(carrier).executeBatch(requests, ethers.ZeroAddress);
    expect((await market.tasks.getTask(taskId)).consumer).to.equal(poor.address);
    expect(await market.escrow.freeOf(carrier.address)).to.equal(DOLLAR / 2n);
    expect(await market.escrow.freeOf(poor.address)).to.equal(60n * DOLLAR - DOLLAR / 2n - 10n * DOLLAR);
    expect(await ethers.provider.getBalance(poor.address)).to.equal(0n);
    await market.tasks.connect(operator).acceptTask(taskId);
    const cancel = market.tasks.interface.encodeFunctionData("cancelTask", [taskId]);
    const tasks = await market.tasks.getAddress();
    await market.forwarder
      .connect(carrier)
      .execute(await request(market, poor, tasks, cancel, (await now()) + SOON));
    expect(await market.escrow.freeOf(poor.address)).to.equal(59_500_000n);
  });

  it("is carried once: a replay does nothing", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { requests } = await threeCalls(market, await penniless(market));
    const send = () => market.forwarder.connect(carrier).executeBatch(requests, ethers.ZeroAddress);
    await send();
    await expect(send()).to.be.revertedWithCustomError(market.forwarder, "ERC2771ForwarderInvalidSigner");
  });

  it("is carried whole and in order, or not at all", async () => {
    const market = await loadFixture(busyLocalMarket);
    const poor = await penniless(market);
    const { requests } = await threeCalls(market, poor);
    const [, pay, order] = requests as [ForwardRequest, ForwardRequest, ForwardRequest];
    for (const part of [requests.toReversed(), [pay], [order, pay]]) {
      await expect(
        market.forwarder.connect(carrier).executeBatch(part, ethers.ZeroAddress),
      ).to.be.revertedWithCustomError(market.forwarder, "ERC2771ForwarderInvalidSigner");
    }
    await market.token.connect(await funded(poor)).transfer(stranger.address, 95n * DOLLAR);
    await expect(
      market.forwarder.connect(carrier).executeBatch(requests, ethers.ZeroAddress),
    ).to.be.revertedWithCustomError(market.forwarder, "FailedCall");
    expect(await market.escrow.freeOf(carrier.address)).to.equal(0n);
    expect(await market.forwarder.nonces(poor.address)).to.equal(0n);
  });

  it("is carried before its deadline", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { requests, deadline } = await threeCalls(market, await penniless(market));
    await nextBlockAt(deadline + 1n);
    await expect(market.forwarder.connect(carrier).executeBatch(requests, ethers.ZeroAddress))
      .to.be.revertedWithCustomError(market.forwarder, "ERC2771ForwarderExpiredRequest")
      .withArgs(deadline);
  });

  it("says itself what is done: a carrier that changes anything is refused", async () => {
    const market = await loadFixture(busyLocalMarket);
    const poor = await penniless(market);
    const { requests } = await threeCalls(market, poor);
    const [deposit] = requests as [ForwardRequest];
    const mine = market.escrow.interface.encodeFunctionData("transferFree", [carrier.address, 50n * DOLLAR]);
    const changes: Partial<ForwardRequest>[] = [
      { data: mine },
      { to: await market.tasks.getAddress() },
      { from: consumer.address },
      { gas: 100_000n },
      { deadline: deposit.deadline + 1n },
      { signature: await carrier.signMessage("trust me") },
    ];
    for (const change of changes) {
      await expect(
        market.forwarder.connect(carrier).execute({ ...deposit, ...change }),
        Object.keys(change).join(),
      ).to.be.revertedWithCustomError(market.forwarder, "ERC2771ForwarderInvalidSigner");
    }
    await expect(
      market.forwarder.connect(carrier).execute({ ...deposit, value: 1n }, { value: 1n }),
    ).to.be.revertedWithCustomError(market.forwarder, "ERC2771ForwarderInvalidSigner");
  });

  it("is not impersonated by an address that somebody appends to a call of his own", async () => {
    const market = await loadFixture(busyLocalMarket);
    const data = market.escrow.interface.encodeFunctionData("withdraw", [stranger.address, 100n * DOLLAR]);
    const forged = ethers.concat([data, consumer.address]);
    await expect(stranger.sendTransaction({ to: await market.escrow.getAddress(), data: forged }))
      .to.be.revertedWithCustomError(market.escrow, "InsufficientFree")
      .withArgs(stranger.address, 100n * DOLLAR, 0);
  });

  it("may be a reporter too: the reward is the signer's, not the forwarder's (rule 3)", async () => {
    const market = await loadFixture(busyLocalMarket);
    const poor = await penniless(market);
    const ref = await market.leaseIn("Running");
    const one = await market.attestation(ref, { outputDigest: digest("one") });
    const two = { ...one, outputDigest: digest("two") };
    const proof = market.tasks.interface.encodeFunctionData("proveEquivocation", [
      one,
      await market.sign(one),
      two,
      await market.sign(two),
    ]);
    const call = await request(market, poor, await market.tasks.getAddress(), proof, (await now()) + SOON);
    await market.forwarder.connect(carrier).execute(call);
    expect(await market.escrow.freeOf(poor.address)).to.equal(2n * DOLLAR);
  });

  it("cannot be made to speak for a node: a claim through the forwarder is no sign of life", async () => {
    const market = await loadFixture(busyLocalMarket);
    const ref = await market.leaseIn("Running");
    const claim = await market.attestation(ref);
    const data = market.tasks.interface.encodeFunctionData("completeLease", [
      claim,
      await market.sign(claim),
    ]);
    const call = await request(market, carrier, await market.tasks.getAddress(), data, (await now()) + SOON);
    const [, , , , before] = await market.liveness.recordOf(operator.address);
    await market.forwarder.connect(carrier).execute(call);
    expect((await market.liveness.recordOf(operator.address))[4]).to.equal(before);
    expect(await market.statusOf(ref)).to.equal("Completed");
    expect(await market.nodes.ownerOf(operator.address)).to.equal(owner.address);
  });
});

/** The wallet with some ETH, for a move of its own. */
async function funded(who: HDNodeWallet): Promise<HDNodeWallet> {
  await networkHelpers.setBalance(who.address, 10n ** 18n);
  return who;
}
