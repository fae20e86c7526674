/** A private task on whole daemons, ordered as the command orders it. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import {
  awardTask,
  deriveOutputKey,
  deriveTaskKey,
  type KeyWrap,
  type Market,
  type PreparedTask,
  planQuotes,
  planTask,
  prepareTask,
  sealInputs,
  sealTask,
  signerOf,
} from "@dekuper/client";
import { nodeEncryptionKey, parseTaskFile } from "@dekuper/protocol";
import { type Address, stringToBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { startNodePeer } from "../../../client/src/node/market-peer.ts";
import type { TestChain } from "../../../client/test/chain.ts";
import { aProfile } from "../../../client/test/provider.ts";
import { aTaskSpec } from "../task-spec.ts";
import { type RunningOracle, startOracle } from "./running-oracle.ts";

export const SECRET = "hf_a-token-that-nobody-else-may-read";
export const INPUT = "the rows that must not leave the two clusters\n".repeat(3_000);
export const TEXT = `name: secret
image: ${aTaskSpec().image}
command: ["python", "train.py"]
env: [TOKEN]
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 1h }
startWithin: 20m
`;
export const PER_VCPU_HOUR = 1_000_000n;

/** A daemon whose profile says where it listens, at a rate of its own. */
export async function startNode(t: TestContext, chain: TestChain, rate: bigint): Promise<RunningOracle> {
  const running = await startOracle(t, chain);
  const { provider, oracle } = running;
  await provider.market.updateProfile(
    provider.node,
    aProfile({
      encryptionKey: nodeEncryptionKey(provider.operatorKey),
      posted: { perGpuHour: 0n, perVCpuHour: rate },
      multiaddrs: oracle.multiaddrs,
    }),
  );
  return running;
}

/** What a test orders otherwise than the command would. */
export interface Oddly {
  readonly text?: string;
  readonly task?: (task: PreparedTask) => PreparedTask;
  readonly wraps?: (wraps: readonly KeyWrap[]) => readonly KeyWrap[];
}

/** Orders a private task by quotes, as the command does. */
export async function orderPrivately(
  t: TestContext,
  chain: TestChain,
  { consumer }: Pick<RunningOracle, "consumer">,
  nodes: readonly Address[],
  { text = TEXT, task: changed = (task) => task, wraps: handed = (wraps) => wraps }: Oddly = {},
) {
  const { address, key: wallet } = consumer;
  const market: Market = {
    ...consumer.market,
    createAndAward: (order, quotes, wraps) => consumer.market.createAndAward(order, quotes, handed(wraps)),
  };
  const signer = signerOf(privateKeyToAccount(wallet));
  const key = await deriveOutputKey(signer, chain.network.deployment);
  const taskKey = deriveTaskKey(key);
  const bytes = stringToBytes(INPUT);
  const source = {
    size: bytes.length,
    open: async function* (offset: number) {
      yield bytes.subarray(offset);
    },
  };
  const digest = `0x${createHash("sha256").update(bytes).digest("hex")}` as const;
  const token = await market.token();
  const prepared = prepareTask({
    file: parseTaskFile(text),
    network: chain.network,
    token,
    inputs: await sealInputs([{ path: "rows.csv", digest, source }], taskKey),
    recipient: key.recipient,
    env: { TOKEN: SECRET },
  });
  const task = changed(await sealTask(prepared, taskKey));
  const peer = await startNodePeer(market);
  t.after(() => peer.stop());
  const all = (await market.nodes()).filter((node) => nodes.includes(node.address));
  const [terms, head] = await Promise.all([market.terms(), market.head()]);
  const { cap = 0n } = planTask(task.planOrder, all, { token, terms, now: head.timestamp });
  const asking = { market, peer, task, cap: 2n * cap, nodes: all };
  // A busy machine may answer too late to be heard; then nothing was ordered, and it is asked again.
  for (let tries = 0; ; tries++) {
    try {
      const plan = await planQuotes({ ...asking, consumer: address });
      assert.equal(plan.offers.offers.length, all.length, "every node offers");
      return { task, taskKey, key, signer, peer, plan, submitted: await awardTask({ ...asking, plan }) };
    } catch (error) {
      if (tries >= 9) throw error;
    }
  }
}

/** Everything that a daemon has on its disk. */
export async function onDisk({ stateDir }: RunningOracle): Promise<Buffer> {
  const files = await readdir(stateDir, { recursive: true, withFileTypes: true });
  const paths = files.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Buffer.concat(await Promise.all(paths.map((path) => readFile(path))));
}
