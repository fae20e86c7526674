import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "../../client/test/chain.ts";
import {
  type Ran,
  type RunningCommand,
  type RunOptions,
  runHere,
  startCommand,
  startOnTerminal,
} from "./run-command.ts";
import { startTestNode, type TestNode } from "./test-node.ts";

/** A chain with the market, one online node, and a state folder as `dekuper up` leaves it. */
export interface MarketFixture {
  readonly chain: TestChain;
  readonly stateDir: string;
  readonly networkFile: string;
  readonly consumer: { readonly key: Hex; readonly address: Hex };
  readonly node: TestNode;
  /** Runs one command line to its end, in a process of its own. */
  run(args: readonly string[], options?: RunOptions): Promise<Ran>;
  /** The same in this process: for the many that differ only in what they answer. */
  runHere(args: readonly string[], options?: RunOptions): Promise<Ran>;
  start(args: readonly string[], options?: RunOptions): RunningCommand;
  startOnTerminal(args: readonly string[], options?: RunOptions): RunningCommand;
  /** Writes a file into the state folder and returns its path. */
  write(name: string, text: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startMarket(): Promise<MarketFixture> {
  const chain = await startTestChain();
  const stateDir = await mkdtemp(join(tmpdir(), "dekuper-cli-"));
  const { market: _, ...consumer } = await chain.account(1_000);
  const node = await startTestNode(chain, join(stateDir, "node"));
  const write = async (name: string, text: string) => {
    const path = join(stateDir, name);
    await writeFile(path, text);
    return path;
  };
  const networkFile = await write("network.json", JSON.stringify(chain.network));
  await write("local.json", JSON.stringify(localRecord(chain, consumer, [node])));
  return {
    chain,
    stateDir,
    networkFile,
    consumer,
    node,
    write,
    run: (args, options = {}) => startCommand(args, { ...options, stateDir }).ended,
    runHere: (args, options = {}) => runHere(args, { ...options, stateDir }),
    start: (args, options = {}) => startCommand(args, { ...options, stateDir }),
    startOnTerminal: (args, options = {}) => startOnTerminal(args, { ...options, stateDir }),
    stop: async () => {
      await node.stop();
      await chain.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** What `dekuper up` would remember of this market. */
export function localRecord(
  chain: TestChain,
  consumer: MarketFixture["consumer"],
  nodes: readonly Pick<TestNode, "owner" | "ownerKey" | "node" | "operatorKey">[],
) {
  const account = (privateKey: Hex, address: Hex) => ({ privateKey, address });
  return {
    startedAt: new Date().toISOString(),
    network: chain.network,
    accounts: {
      deployer: account(consumer.key, consumer.address),
      consumer: account(consumer.key, consumer.address),
    },
    providers: nodes.map(({ ownerKey, owner, operatorKey, node }, index) => ({
      name: `provider-${index + 1}`,
      owner: account(ownerKey, owner),
      operator: account(operatorKey, node),
      kubeconfig: "",
      oracleDir: "",
      statusUrl: "",
    })),
    processes: [],
    clusterDirs: [],
  };
}
