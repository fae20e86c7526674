import { expect } from "chai";
import type { BaseContract, FunctionFragment, HDNodeWallet, ParamType } from "ethers";
import {
  busyLocalMarket,
  DOLLAR,
  ethers,
  type LeaseRef,
  loadFixture,
  type Market,
  networkHelpers,
  people,
} from "./market.ts";

const { governor, guardian, deployer, feeRecipient, stranger } = people;

/** Everybody who holds a role, and two who hold none. */
const callers = { governor, guardian, deployer, feeRecipient, stranger };

/** What governance may call at all; everything else answers to owners, operators and consumers. */
const RESTRICTED = [
  "Liveness.setParameters",
  "NodeRegistry.pause",
  "NodeRegistry.setParameters",
  "NodeRegistry.unpause",
  "TaskRegistry.pause",
  "TaskRegistry.setParameters",
  "TaskRegistry.unpause",
];

/** A market in which every kind of money exists: free, reserved, earned, fees, stake, locks, a bond. */
async function richMarket(): Promise<{ market: Market; live: LeaseRef; done: LeaseRef }> {
  const market = await busyLocalMarket();
  const settled = await market.leaseIn("Running");
  await networkHelpers.time.increase(600);
  await market.complete(settled);
  await market.tasks.connect(people.consumer).approve(settled.leaseId);
  const live = await market.leaseIn("Running");
  const done = await market.leaseIn("Completed");
  await market.tasks.connect(people.consumer).claimUndelivered(done.leaseId);
  return { market, live, done };
}

const contractsOf = (market: Market): Record<string, BaseContract> => ({
  TaskRegistry: market.tasks as unknown as BaseContract,
  NodeRegistry: market.nodes as unknown as BaseContract,
  PaymentEscrow: market.escrow as unknown as BaseContract,
  Liveness: market.liveness as unknown as BaseContract,
});

function changing(contract: BaseContract): FunctionFragment[] {
  return contract.interface.fragments.filter(
    (fragment): fragment is FunctionFragment =>
      fragment.type === "function" && !(fragment as FunctionFragment).constant,
  );
}

/** Everything that somebody owns, and the ids of what is live. */
async function wealth(market: Market): Promise<readonly bigint[]> {
  const { escrow, nodes, token } = market;
  const owners = [people.consumer, people.owner, people.operator];
  const amounts = await Promise.all([
    ...owners.flatMap(({ address }) => [
      escrow.freeOf(address),
      escrow.earningsOf(address),
      escrow.reservedOf(address),
      token.balanceOf(address),
    ]),
    ...Object.values(callers).flatMap(({ address }) => [escrow.freeOf(address), escrow.earningsOf(address)]),
    escrow.stakeOf(people.operator.address),
    escrow.totalBonds(),
  ]);
  const [staked, locked, unbonding] = await nodes.stakeOf(people.operator.address);
  return [...amounts, staked, locked, unbonding];
}

/** Arguments that name the victims and what they have at stake. */
function argument(type: ParamType, live: LeaseRef): unknown {
  if (type.baseType === "array") return [];
  if (type.baseType === "tuple") return (type.components ?? []).map((inner) => argument(inner, live));
  if (type.type === "address") return type.name === "to" ? stranger.address : people.operator.address;
  if (type.type === "bool") return true;
  if (type.type === "string") return "";
  if (type.type === "bytes") return "0x";
  if (type.type === "bytes32") return type.name === "taskId" ? live.taskId : live.leaseId;
  if (type.type === "bytes4") return "0x00000000";
  return type.name === "attempt" ? 1 : 5;
}

describe("Roles (rules 10 and 28)", () => {
  it("reach parameters and the pause, and no other function of any contract", async () => {
    const { market, live } = await loadFixture(richMarket);
    const found: string[] = [];
    for (const [name, contract] of Object.entries(contractsOf(market))) {
      const unauthorized = contract.interface.getError("AccessManagedUnauthorized");
      for (const fragment of changing(contract)) {
        const data = contract.interface.encodeFunctionData(
          fragment,
          fragment.inputs.map((input) => argument(input, live)),
        );
        const answer = await revertOf(stranger, await contract.getAddress(), data);
        if (unauthorized !== null && answer.startsWith(unauthorized.selector))
          found.push(`${name}.${fragment.name}`);
      }
    }
    const authority = found.filter((name) => name.endsWith(".setAuthority"));
    expect(found.filter((name) => !authority.includes(name)).sort()).to.deep.equal(RESTRICTED);
  });

  it("can move no token of another's and slash nobody, whatever they call, and with whatever they own", async () => {
    const { market, live } = await loadFixture(richMarket);
    const { governance } = market;
    const before = await wealth(market);
    let taken = 0;
    for (const contract of Object.values(contractsOf(market))) {
      const target = await contract.getAddress();
      for (const fragment of changing(contract)) {
        const data = contract.interface.encodeFunctionData(
          fragment,
          fragment.inputs.map((input) => argument(input, live)),
        );
        for (const caller of Object.values(callers)) {
          const calls = [
            () => caller.sendTransaction({ to: target, data }),
            () => governance.connect(caller).execute(target, data),
          ];
          for (const call of calls) {
            const snapshot = await networkHelpers.takeSnapshot();
            const sent = await call().catch(() => undefined);
            if (sent !== undefined) {
              ++taken;
              expect(await wealth(market), `${fragment.name} by ${caller.address}`).to.deep.equal(before);
            }
            await snapshot.restore();
          }
        }
      }
    }
    expect(taken, "calls that went through").to.be.greaterThan(0);
  });

  it("change nothing of a live order's terms, fee or deadlines", async () => {
    const { market, live } = await loadFixture(richMarket);
    const before = [await market.tasks.termsOf(live.taskId), await market.tasks.deadlineOf(live.leaseId)];
    const { max } = market.parameters.task;
    await market.tasks.connect(governor).setParameters(max);
    await market.liveness.connect(governor).setParameters(market.parameters.liveness.max);
    await market.nodes.connect(governor).setParameters(market.parameters.node.max);
    expect([
      await market.tasks.termsOf(live.taskId),
      await market.tasks.deadlineOf(live.leaseId),
    ]).to.deep.equal(before);
    await networkHelpers.time.increase(360);
    await market.complete(live);
    await market.tasks.connect(people.consumer).approve(live.leaseId);
    const { billedSeconds } = await market.tasks.getLease(live.leaseId);
    const gross = (10n * DOLLAR * billedSeconds) / 3600n;
    const fees = await market.escrow.queryFilter(market.escrow.filters.Paid(live.leaseId));
    expect(fees[0]?.args.fee).to.equal(gross / 100n);
  });

  it("cannot be reached by a contract that takes the authority over, beyond the same bounds", async () => {
    const { market } = await loadFixture(richMarket);
    const target = await market.tasks.getAddress();
    await market.governance.connect(governor).updateAuthority(target, await market.governance.getAddress());
    const beyond = structuredClone(market.parameters.task.max);
    beyond.terms.feeBps += 1;
    await expect(market.tasks.connect(governor).setParameters(beyond)).to.be.revertedWithCustomError(
      market.tasks,
      "ParameterOutOfBounds",
    );
  });

  it("do not name the forwarder: what it carries is signed by the one who pays", async () => {
    const { market } = await loadFixture(richMarket);
    const forwarder = await market.forwarder.getAddress();
    expect(await market.tasks.isTrustedForwarder(forwarder)).to.equal(true);
    expect(await market.escrow.isTrustedForwarder(forwarder)).to.equal(true);
    const data = market.escrow.interface.encodeFunctionData("withdraw", [stranger.address, DOLLAR]);
    const request = {
      from: people.consumer.address,
      to: await market.escrow.getAddress(),
      value: 0n,
      gas: 200_000n,
      deadline: 2n ** 47n,
      data,
      signature: `0x${"11".repeat(65)}`,
    };
    for (const caller of Object.values(callers)) {
      await expect(market.forwarder.connect(caller).execute(request)).to.be.revert(ethers);
    }
  });
});

/** The revert data of a call, 0x where it goes through. */
async function revertOf(caller: HDNodeWallet, to: string, data: string): Promise<string> {
  try {
    await ethers.provider.call({ from: caller.address, to, data });
    return "0x";
  } catch (error) {
    return revertData(error) ?? "0x";
  }
}

function revertData(error: unknown): string | undefined {
  if (typeof error === "string" && error.startsWith("0x")) return error;
  if (typeof error !== "object" || error === null) return undefined;
  const { data, cause, error: inner, info } = error as Record<string, unknown>;
  return [data, cause, inner, info].map(revertData).find((found) => found !== undefined);
}
