import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { chainOf, walletClientOf } from "@dekuper/client";
import { livenessAbi } from "@dekuper/protocol";
import { type Hex, zeroAddress } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { startTestChain, type TestChain } from "../../client/test/chain.ts";
import { startTestProvider, type TestProvider } from "../../client/test/provider.ts";
import { committeeWords, noCommitteeWords, placeSeatBids, readCommittee } from "../src/network/seats.ts";
import { type LocalProvider, NetworkState } from "../src/network/state.ts";
import { networkStatus } from "../src/network/status.ts";
import { startCommand } from "./run-command.ts";

const CLOSED = "http://127.0.0.1:1";

let chain: TestChain;
let stateDir: string;
let owners: TestProvider[];
let providers: LocalProvider[];
before(async () => {
  chain = await startTestChain();
  stateDir = await mkdtemp(join(tmpdir(), "dekuper-seats-"));
  owners = [];
  for (let index = 0; index < 4; index++) owners.push(await startTestProvider(chain));
  providers = owners.map(({ owner, ownerKey, node, operatorKey }, index) => ({
    name: `provider${index + 1}`,
    owner: { address: owner, privateKey: ownerKey },
    operator: { address: node, privateKey: operatorKey },
    kubeconfig: "none",
    oracleDir: stateDir,
    statusUrl: CLOSED,
  }));
});
after(async () => {
  await chain?.stop();
  await rm(stateDir, { recursive: true, force: true });
});

/** A state folder as `dekuper up` leaves it, of a network on this chain. */
function record(count: number, rpcUrl = chain.rpcUrl): NetworkState {
  const state = new NetworkState(join(stateDir, `of-${count}`));
  const account = { address: zeroAddress, privateKey: `0x${"11".repeat(32)}` as Hex };
  state.save({
    startedAt: new Date(0).toISOString(),
    network: { ...chain.network, rpcUrls: [rpcUrl] },
    accounts: { deployer: account, consumer: account },
    providers: providers.slice(0, count),
    processes: [
      { name: "chain", identity: { pid: process.pid, startTime: 0 } as never, logFile: "chain.log" },
    ],
    clusterDirs: [],
  });
  return state;
}

async function endEpoch(): Promise<void> {
  const { epochEndsAt } = await readCommittee(chain.network);
  await chain.control.setNextBlockTimestamp({ timestamp: BigInt(epochEndsAt + 1) });
  await chain.control.mine({ blocks: 1 });
  const [provider] = owners as [TestProvider];
  const wallet = walletClientOf(chain.network, privateKeyToAccount(provider.ownerKey));
  const hash = await wallet.writeContract({
    address: chain.network.deployment.liveness,
    abi: livenessAbi,
    functionName: "rotate",
    chain: chainOf(chain.network),
    gas: 5_000_000n,
  });
  const { status } = await provider.market.publicClient.waitForTransactionReceipt({ hash });
  assert.equal(status, "success");
}

describe("the committee of a local network (rule 24)", () => {
  it("is none with three providers: all of them would have to sign, and one death would silence it", async () => {
    assert.equal(await placeSeatBids(chain.network, providers.slice(0, 3)), 0);
    const committee = await readCommittee(chain.network);
    assert.deepEqual([committee.bidders, committee.seats], [[], []]);
    assert.match(
      noCommitteeWords(3),
      /^no committee, so nobody reports a dead node: 3 providers are too few/,
    );
    assert.equal(committeeWords(committee, 3), noCommitteeWords(3));
    const three = { ...committee, seats: providers.slice(0, 3).map(({ operator }) => operator.address) };
    assert.match(committeeWords({ ...three, quorum: 3 }, 3), /^3 seats, .* 3 must sign .*; the death of one/);
  });

  it("is bid for by all of four, each with the least that a bid may lock, and once", async () => {
    for (let turn = 0; turn < 2; turn++) assert.equal(await placeSeatBids(chain.network, providers), 4);
    const nodes = providers.map(({ operator }) => operator.address);
    const committee = await readCommittee(chain.network);
    assert.deepEqual(new Set(committee.bidders), new Set(nodes));
    assert.match(committeeWords(committee, 4), /^no seats yet: 4 nodes bid/);
    for (const [index, { market }] of owners.entries()) {
      const { amount, minSeatStake } = await market.seatBid(nodes[index] ?? zeroAddress);
      assert.equal(amount, minSeatStake);
    }
    assert.ok((await networkStatus(record(4))).providers.every(({ seat }) => seat === "bids"));
  });

  it("sits once the epoch has ended, and outlives one of them; `dekuper status` shows it", async () => {
    await endEpoch();
    const committee = await readCommittee(chain.network);
    assert.deepEqual([committee.seats.length, committee.quorum], [4, 3]);
    const { stdout } = await startCommand(["status", "--state", record(4).dir], { stateDir }).ended;
    assert.equal(stdout.match(/^provider\d .* has a seat$/gm)?.length, 4, stdout);
    assert.match(stdout, /^committee +4 seats, of which 3 must sign a report of who is offline$/m);
  });

  it("is unknown where the chain does not answer", async () => {
    const status = await networkStatus(record(3, CLOSED));
    assert.equal(status.committee, undefined);
    assert.deepEqual(
      status.providers.map(({ seat }) => seat),
      [undefined, undefined, undefined],
    );
  });
});
