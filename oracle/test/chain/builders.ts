import type { TestContext } from "node:test";
import type { Deployment } from "@dekuper/protocol";
import type { Clock } from "../../src/chain/clock.ts";
import { ChainReader, type ChainReaderOptions } from "../../src/chain/reader.ts";
import type { FakeChain } from "./fake-chain.ts";
import { RpcServer } from "./rpc-server.ts";

/** A clock that a test moves by hand; sleeping moves it too. */
export class HandClock implements Clock {
  ms = 1_000_000_000;
  now = () => this.ms;
  sleep = (ms: number) => {
    this.ms += ms;
    return Promise.resolve();
  };
}

const address = (fill: string) => `0x${fill.repeat(20)}` as const;

/** A deployment in block 1 of a fake chain. */
export function aDeployment(chain: FakeChain, change: Partial<Deployment> = {}): Deployment {
  return {
    chainId: chain.chainId,
    nodeRegistry: address("11"),
    taskRegistry: address("22"),
    paymentEscrow: address("33"),
    liveness: address("55"),
    forwarder: address("66"),
    token: address("44"),
    deploymentBlock: 1,
    deploymentBlockHash: chain.blocks[1]?.hash ?? `0x${"00".repeat(32)}`,
    ...change,
  };
}

/** For tests in which an RPC never answers. */
export const IMPATIENT = { timeoutMs: 1_000 } as const;

/** A reader of one RPC for each chain, by depth 3 if nothing else is said. */
export async function readerOf(
  t: TestContext,
  chains: readonly FakeChain[],
  change: Partial<ChainReaderOptions> = {},
): Promise<{ reader: ChainReader; rpcs: RpcServer[]; clock: HandClock }> {
  const rpcs = await Promise.all(chains.map((chain) => RpcServer.start(t, chain.handlers())));
  const clock = new HandClock();
  const reader = new ChainReader({
    deployment: aDeployment(chains[0] as FakeChain),
    rpcUrls: rpcs.map(({ url }) => url),
    finality: { kind: "depth", depth: 3 },
    minConfirmations: 1,
    timeoutMs: 10_000,
    clock,
    ...change,
  });
  return { reader, rpcs, clock };
}
