import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { DekuperError, type LeaseStatus, leaseStatuses, taskRegistryAbi } from "@dekuper/protocol";
import { encodeFunctionResult, type Hex, type PublicClient } from "viem";
import { readLease } from "../../src/chain/contracts.ts";
import type { ChainReaderOptions } from "../../src/chain/reader.ts";
import { FALLBACK_FINALITY_DEPTH } from "../../src/chain/view.ts";
import { aDeployment, IMPATIENT, readerOf } from "./builders.ts";
import { FakeChain } from "./fake-chain.ts";
import { type Mood, RpcFault } from "./rpc-server.ts";

async function look(t: TestContext, chain: FakeChain, change: Partial<ChainReaderOptions> = {}) {
  const { reader } = await readerOf(t, [chain], change);
  const view = await reader.look();
  assert.equal(view.evidence, "readable");
  return view.evidence === "readable" ? view : assert.fail();
}

const throws = (fault: RpcFault) => () => {
  throw fault;
};

/** What `getLease` answers for a lease of this status; `None` is what it answers for an id that it does not know. */
function aLeaseAnswer(status: LeaseStatus): Hex {
  const zero = `0x${"00".repeat(32)}` as const;
  return encodeFunctionResult({
    abi: taskRegistryAbi,
    functionName: "getLease",
    result: {
      taskId: zero,
      index: 0,
      attempt: 1,
      maxSeconds: 600,
      hasKey: true,
      isProven: false,
      status: leaseStatuses.indexOf(status),
      node: `0x${"00".repeat(20)}`,
      acceptedAt: 0n,
      deadline: 0n,
      startedAt: 0n,
      lastClaimAt: 0n,
      lastStep: 0n,
      checkpointDigest: zero,
      stoppedAt: 0n,
      endedAt: 0n,
      ratePerHour: 0n,
      billedSeconds: 0n,
      downSeconds: 0n,
      offlineAtStart: 0n,
      offlineAtClaim: 0n,
      reserved: 0n,
      lock: 0n,
      attestationDigest: zero,
    },
  });
}

const WRONG: readonly Mood[] = ["down", "limited", "hangs", "garbage"];
const unreadable = (reason: string) => ({ evidence: "unreadable", reason });

describe("the view of the chain", () => {
  it("is unreadable before anybody has looked", async (t) => {
    const { reader } = await readerOf(t, [new FakeChain(9)]);
    assert.deepEqual(reader.view, unreadable("not-read-yet"));
  });

  it("has head, final and confirmed block", async (t) => {
    const chain = new FakeChain(20);
    const view = await look(t, chain, { minConfirmations: 2 });
    assert.deepEqual([view.head.number, view.final.number, view.confirmed], [19, 16, 18]);
    assert.deepEqual(
      [view.head.hash, view.head.timestamp, view.head.baseFee],
      [chain.head.hash, 1_000_019, 10n],
    );
  });

  it("calls the first block final while there are fewer than the depth", async (t) => {
    const view = await look(t, new FakeChain(2), { minConfirmations: 5 });
    assert.deepEqual([view.final.number, view.confirmed], [0, 0]);
  });

  it("says since when the head stands", async (t) => {
    const chain = new FakeChain(5);
    const { reader, clock } = await readerOf(t, [chain]);
    const seenAt = async () => {
      const view = await reader.look();
      return view.evidence === "readable" && view.headSeenAt;
    };
    const first = await seenAt();
    clock.ms += 9_000;
    assert.equal(await seenAt(), first);
    chain.mine();
    assert.equal(await seenAt(), clock.ms);
  });

  for (const mood of WRONG)
    it(`is unreadable, and not empty, when the only RPC ${mood === "hangs" ? mood : `is ${mood}`}`, async (t) => {
      const { reader, rpcs } = await readerOf(t, [new FakeChain(9)], mood === "hangs" ? IMPATIENT : {});
      await reader.look();
      for (const rpc of rpcs) rpc.mood = mood;
      assert.deepEqual(await reader.look(), unreadable("no-rpc-answers"));
      assert.equal(reader.lastReadable?.head.number, 8);
      await assert.rejects(
        reader.read((client) => client.getBlockNumber()),
        { code: "RPC_UNAVAILABLE", retryable: true },
      );
      for (const rpc of rpcs) rpc.mood = "answers";
      assert.equal((await reader.look()).evidence, "readable");
    });

  it("goes on with the RPCs that answer", async (t) => {
    const chain = new FakeChain(9);
    const { reader, rpcs } = await readerOf(t, [chain, chain]);
    for (const rpc of rpcs) {
      rpc.mood = "down";
      assert.equal((await reader.look()).evidence, "readable");
      assert.equal(reader.healthy.length, 1);
      rpc.mood = "answers";
    }
  });
});

describe("finality", () => {
  const tag = { finality: { kind: "tag" } } as const;

  it("is the RPC's own tag where that is configured", async (t) => {
    const chain = new FakeChain(100);
    chain.finalized = 42;
    assert.equal((await look(t, chain, tag)).final.number, 42);
  });

  it("is a depth where the RPC has no such tag, and the tag as soon as it has", async (t) => {
    const chain = new FakeChain(100);
    const { reader } = await readerOf(t, [chain], tag);
    await reader.look();
    assert.equal(reader.lastReadable?.final.number, 99 - FALLBACK_FINALITY_DEPTH);
    chain.finalized = 10;
    await reader.look();
    assert.equal(reader.lastReadable?.final.number, 10);
  });

  it("is never weaker than the tag once the RPC has shown it: a missing one makes it unreadable", async (t) => {
    const chain = new FakeChain(100);
    chain.finalized = 10;
    const { reader } = await readerOf(t, [chain], tag);
    await reader.look();
    chain.finalized = undefined;
    assert.deepEqual(await reader.look(), unreadable("no-rpc-answers"));
  });

  it("is what all RPCs call final", async (t) => {
    const { reader } = await readerOf(t, [new FakeChain(30), new FakeChain(20)]);
    const view = await reader.look();
    assert.ok(view.evidence === "readable");
    assert.deepEqual([view.head.number, view.final.number], [29, 16]);
  });
});

describe("two RPCs", () => {
  const forked = (from: number, length: number) => {
    const chain = new FakeChain(from);
    for (let number = from; number < length; number++) chain.mine("fork");
    return chain;
  };

  it("may differ above the final block", async (t) => {
    const { reader } = await readerOf(t, [new FakeChain(20), forked(18, 20)]);
    assert.equal((await reader.look()).evidence, "readable");
  });

  it("make the view unreadable when they differ at a final block, until they agree again", async (t) => {
    const fork = forked(10, 20);
    const { reader, rpcs } = await readerOf(t, [new FakeChain(20), fork]);
    assert.deepEqual(await reader.look(), unreadable("rpcs-disagree"));
    for (const [method, handler] of Object.entries(new FakeChain(20).handlers()))
      rpcs[1]?.handlers.set(method, handler);
    assert.equal((await reader.look()).evidence, "readable");
  });

  it("make the view unreadable when one cannot show a block below its own head", async (t) => {
    const longer = new FakeChain(25);
    const { reader, rpcs } = await readerOf(t, [new FakeChain(20), longer]);
    const { eth_getBlockByNumber: show } = longer.handlers();
    rpcs[1]?.handlers.set("eth_getBlockByNumber", (...which) =>
      Number(which[0]) === 16 ? null : show?.(...which),
    );
    assert.deepEqual(await reader.look(), unreadable("rpcs-disagree"));
  });

  it("must both say what counts as positive evidence", async (t) => {
    const chain = new FakeChain(20);
    const { reader, rpcs } = await readerOf(t, [chain, chain], IMPATIENT);
    await reader.look();
    const agreed = () =>
      reader.readAgreed(
        (client) => client.getBalance({ address: `0x${"55".repeat(20)}` }),
        (balance) => `${balance}`,
      );
    assert.equal(await agreed(), 10n ** 18n);
    rpcs[1]?.handlers.set("eth_getBalance", () => "0x1");
    assert.equal(await agreed(), undefined);
    for (const mood of WRONG) {
      for (const rpc of rpcs) rpc.mood = rpc === rpcs[1] ? mood : "answers";
      assert.equal(await agreed(), undefined);
    }
    await reader.look();
    assert.equal(await agreed(), undefined);
  });

  it("need not be two where one is configured", async (t) => {
    const { reader } = await readerOf(t, [new FakeChain(20)]);
    await reader.look();
    assert.equal(
      await reader.readAgreed(
        (client) => client.getChainId(),
        (id) => `${id}`,
      ),
      31337,
    );
  });
});

describe("a read", () => {
  const LEASE: Hex = `0x${"01".repeat(32)}`;

  async function twoRpcs(t: TestContext, first: () => unknown) {
    const chain = new FakeChain(20);
    const { reader, rpcs } = await readerOf(t, [chain, chain]);
    await reader.look();
    const [lying, other] = rpcs;
    assert.ok(lying && other);
    lying.handlers.set("eth_call", first);
    other.handlers.set("eth_call", () => aLeaseAnswer("None"));
    const deployment = aDeployment(chain);
    const lease = () => reader.read((client) => readLease(client, deployment, LEASE, 10));
    return { reader, lying, other, lease };
  }

  const failures: readonly (readonly [string, () => unknown])[] = [
    ["an internal error", throws(new RpcFault(-32603, "Internal error"))],
    ["a header that it has not got", throws(new RpcFault(-32000, "header not found"))],
    ["state that it has thrown away", throws(new RpcFault(-32000, "missing trie node 0xab (path )"))],
    ["a limit of its own", throws(new RpcFault(-32005, "limit exceeded"))],
    ["no data, as if there were no contract", () => "0x"],
  ];

  for (const [what, fails] of failures)
    it(`that meets ${what} asks the other RPC, and concludes nothing where that fails too`, async (t) => {
      const { other, lease } = await twoRpcs(t, fails);
      await assert.rejects(lease(), { code: "NOT_FOUND" });
      assert.equal(other.count("eth_call"), 1);
      other.handlers.set("eth_call", fails);
      await assert.rejects(lease(), { code: "RPC_UNAVAILABLE" });
    });

  it("takes a contract's revert for the answer that it is", async (t) => {
    for (const fault of [
      new RpcFault(3, "execution reverted", "0x08c379a0"),
      new RpcFault(-32000, "execution reverted"),
      new RpcFault(-32603, "VM Exception while processing transaction: reverted with custom error", {
        data: "0x12345678",
      }),
    ]) {
      const { other, lease } = await twoRpcs(t, throws(fault));
      await assert.rejects(lease(), (error) => !(error instanceof DekuperError));
      assert.equal(other.count("eth_call"), 0);
    }
  });

  it("believes no single RPC that there is no such lease", async (t) => {
    const { other, lease } = await twoRpcs(t, () => aLeaseAnswer("None"));
    await assert.rejects(lease(), { code: "NOT_FOUND" });
    other.handlers.set("eth_call", () => aLeaseAnswer("Running"));
    assert.equal((await lease()).status, "Running");
  });

  it("keeps what the work itself concludes", async (t) => {
    const { reader } = await twoRpcs(t, () => aLeaseAnswer("None"));
    const changed = async (_: PublicClient) => {
      throw new DekuperError("CHAIN_CHANGED", "Another chain.");
    };
    await assert.rejects(reader.read(changed), { code: "CHAIN_CHANGED" });
  });
});
