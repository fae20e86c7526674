import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import {
  encodeSpec,
  leaseId as leaseIdOf,
  leaseStatuses,
  paymentEscrowAbi,
  specDigest,
  taskRegistryAbi,
} from "@dekuper/protocol";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { createPublicClient, decodeFunctionData, type Hex, http, keccak256, parseTransaction } from "viem";
import { freePort, type TestChain } from "../../../client/test/chain.ts";
import { aProfile, startTestProvider } from "../../../client/test/provider.ts";
import { oracleConfigSchema } from "../../src/config/schema.ts";
import { Secret } from "../../src/config/secret.ts";
import { runOracle } from "../../src/daemon/oracle.ts";
import { encryptKeystore, LIGHT_SCRYPT, writeKeystore } from "../../src/keystore/keystore.ts";
import { createBlobStore } from "../../src/peer/blob-store.ts";
import { orderOf, streamOf } from "../daemon/builders.ts";
import { aTaskSpec } from "../task-spec.ts";
import { MemoryCluster } from "./memory-cluster.ts";
import { RpcFault, RpcServer } from "./rpc-server.ts";

/** Blocks until a block is final for the oracle of these tests: as deep as the deepest reorg. */
export const FINALITY = 12;
/** Nothing is made from a fact that has fewer. */
export const CONFIRMATIONS = 2;

const PASSWORD = "test";

/**
 * A whole daemon on a real chain, with a cluster in memory and an RPC in between that the test may spoil. `isDialled`: other
 * peers find it where it is registered.
 */
export async function startOracle(
  t: Pick<TestContext, "after">,
  chain: TestChain,
  change: { gas?: object; isDialled?: boolean } = {},
) {
  const listen = `/ip4/127.0.0.1/tcp/${change.isDialled === true ? await freePort() : 0}/ws`;
  const provider = await startTestProvider(chain, aProfile({ multiaddrs: [listen] }));
  const consumer = await chain.account(10_000);
  await consumer.market.deposit(5_000_000_000n);
  const dir = await mkdtemp(join(tmpdir(), "dekuper-oracle-"));
  t.after(() => rm(dir, { recursive: true, force: true }));

  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  const spec = aTaskSpec({ output: { maxBytes: 1_000, recipient } }, { maxDuration: 7200 });
  const bytes = encodeSpec(spec);
  const stateDir = join(dir, "state");
  const blobs = await createBlobStore({ dir: join(stateDir, "blobs") });
  const from = { owner: "host:10.0.0.1", offset: 0, bytes: streamOf(bytes) };
  await blobs.put({ kind: "spec", digest: specDigest(spec) }, bytes.length, from);
  blobs.close();
  const keystore = join(dir, "key.json");
  const secret = new Secret(provider.operatorKey);
  await writeKeystore(keystore, await encryptKeystore(secret, new Secret(PASSWORD), LIGHT_SCRYPT));

  const { deployment } = chain.network;
  const client = createPublicClient({ transport: http(chain.rpcUrl, { retryCount: 0 }) });
  const request = client.request as (call: { method: string; params: unknown[] }) => Promise<unknown>;
  const rpc = await RpcServer.start(t, {}, chain.rpcUrl);
  /** Every transaction that the daemon has sent. */
  const sent: Hex[] = [];
  rpc.handlers.set("eth_sendRawTransaction", async (raw: Hex) => {
    sent.push(raw);
    try {
      return await request({ method: "eth_sendRawTransaction", params: [raw] });
    } catch (error) {
      const { code = -32000, details = String(error) } = error as { code?: number; details?: string };
      throw new RpcFault(code, details);
    }
  });

  const events: string[] = [];
  const note = (_: object, event: string) => events.push(event);
  const cluster = new MemoryCluster([spec.image]);
  const config = oracleConfigSchema.parse({
    network: chain.network,
    rpcUrls: [rpc.url],
    stateDir,
    keystore,
    password: PASSWORD,
    helperImage: `localhost/helper@sha256:${"aa".repeat(32)}`,
    listen: [listen],
    httpPort: 0,
    finality: FINALITY,
    minConfirmations: CONFIRMATIONS,
    pollInterval: change.isDialled === true ? 200 : 50,
    claimInterval: 5,
    gas: { replaceAfter: 2, ...change.gas },
  });
  const oracle = await runOracle({
    config,
    driver: cluster,
    log: { debug: () => undefined, info: note, warn: note, error: note },
  });
  t.after(() => oracle.stop());

  const lease = async (leaseId: Hex, blockNumber?: bigint) => {
    const at = { address: deployment.taskRegistry, abi: taskRegistryAbi, functionName: "getLease" } as const;
    const block = blockNumber === undefined ? {} : { blockNumber };
    const found = await client.readContract({ ...at, args: [leaseId], ...block });
    return { ...found, status: leaseStatuses[found.status] ?? "None" };
  };
  const money = async () => {
    const at = { address: deployment.paymentEscrow, abi: paymentEscrowAbi } as const;
    return {
      earned: await client.readContract({ ...at, functionName: "earningsOf", args: [provider.owner] }),
      reserved: await client.readContract({ ...at, functionName: "reservedOf", args: [consumer.address] }),
    };
  };
  const order = async () => {
    const { timestamp } = await consumer.market.head();
    const ordered = orderOf(spec, { openUntil: timestamp + 3_000n, ratePerHour: 36_000_000n });
    const { taskId } = await consumer.market.createTask(ordered);
    return { taskId, leaseId: leaseIdOf(taskId, 0) };
  };
  let baseFee: bigint | undefined;
  const mine = async (blocks = 1) => {
    if (baseFee !== undefined) await chain.control.setNextBlockBaseFeePerGas({ baseFeePerGas: baseFee });
    await chain.control.mine({ blocks });
  };
  /** From now on every block that the test mines has this base fee. */
  const dear = async (wei: bigint) => {
    baseFee = wei;
    await mine();
    await caughtUp();
  };
  /** Chain time passes at once. */
  const pass = async (seconds: number) => {
    await chain.control.increaseTime({ seconds });
    await mine();
  };
  /** Waits until the daemon has read all events up to the head, or so many milliseconds. */
  const hasRead = async (withinMs: number): Promise<boolean> => {
    const head = Number(await client.getBlockNumber({ cacheTime: 0 }));
    const end = Date.now() + withinMs;
    while (((await health()).readBlock ?? 0) < head) {
      if (Date.now() > end) return false;
      await sleep(25);
    }
    return true;
  };
  /** The chain goes on by a block at a time until it is so, and no faster than the daemon reads it, if it can. */
  const until = async (what: string, isSo: () => boolean | Promise<boolean>) => {
    for (let tries = 0; !(await isSo()); tries++) {
      assert.ok(
        tries < 300,
        `it has not come to this: ${what}; last events: ${events.slice(-12).join(", ")}`,
      );
      await mine();
      await hasRead(500);
      await sleep(60);
    }
  };
  const untilStatus = (leaseId: Hex, ...statuses: string[]) =>
    until(statuses.join(" or "), async () => statuses.includes((await lease(leaseId)).status));

  /** The daemon has read all events up to the head, and what it had sent. */
  const caughtUp = async () => {
    assert.ok(await hasRead(10_000), "the daemon has not read the head");
    await sleep(150); // the rest of its round, and the next
  };

  /** Reorgs so far that took back the last block that the daemon had read. */
  let noticeable = 0;
  /**
   * Takes blocks back. What others sent in them is mined again at once, as from a mempool, or else is given back; the daemon's
   * is lost.
   */
  const reorg = async (depth: number, minesOthersAgain = true): Promise<Hex[]> => {
    const head = Number(await client.getBlockNumber({ cacheTime: 0 }));
    const kept: [Hex, number][] = [];
    for (let index = 0; index < depth; index++) {
      const { transactions } = await client.getBlock({ blockNumber: BigInt(head - depth + 1 + index) });
      for (const hash of transactions) {
        const { from: sender } = await client.getTransaction({ hash });
        if (sender.toLowerCase() === provider.node.toLowerCase()) continue;
        kept.push([(await request({ method: "eth_getRawTransactionByHash", params: [hash] })) as Hex, index]);
      }
    }
    // Empty blocks of the same second come back as they were: what the daemon has read last may still be there.
    const read = BigInt((await health()).readBlock ?? 0);
    const hashOfRead = async () => (await client.getBlock({ blockNumber: read })).hash;
    const before = await hashOfRead();
    await request({ method: "anvil_reorg", params: [depth, minesOthersAgain ? kept : []] });
    if ((await hashOfRead()) !== before) noticeable++;
    await mine();
    await caughtUp();
    return kept.map(([raw]) => raw);
  };

  /** The distinct contents of the claims that were sent for a lease. */
  const claims = (leaseId: Hex): Set<string> => {
    const all = sent.flatMap((raw) => {
      const { data = "0x" } = parseTransaction(raw);
      const call = decodeFunctionData({ abi: taskRegistryAbi, data });
      if (call.functionName !== "completeLease" || call.args[0].leaseId !== leaseId) return [];
      return [keccak256(data)];
    });
    return new Set(all);
  };
  const health = async () =>
    (await fetch(`${oracle.url}/status`).then((answer) => answer.json())) as {
      problem?: string;
      readBlock?: number;
    };

  return {
    provider,
    consumer,
    spec,
    key: { identity, recipient },
    stateDir,
    cluster,
    rpc,
    sent,
    events,
    oracle,
    client,
    lease,
    money,
    order,
    mine,
    pass,
    dear,
    until,
    untilStatus,
    reorg,
    noticeable: () => noticeable,
    send: (raw: Hex) => request({ method: "eth_sendRawTransaction", params: [raw] }),
    caughtUp,
    claims,
    health,
  };
}

export type RunningOracle = Awaited<ReturnType<typeof startOracle>>;

/** What a settled lease has brought its owner: its seconds once, less the fee of 1 %. */
export function payOf(billedSeconds: bigint, ratePerHour: bigint): bigint {
  const gross = (ratePerHour * billedSeconds) / 3600n;
  return gross - (gross * 100n) / 10_000n;
}
