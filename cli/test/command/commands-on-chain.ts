import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Hex } from "viem";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import type { MarketFixture } from "../market-fixture.ts";
import { type Ran, runHere } from "../run-command.ts";

/** A chain with the market, and the command against it; no node is online. */
export interface ChainFixture extends Pick<MarketFixture, "runHere" | "write" | "stop" | "stateDir"> {
  readonly chain: TestChain;
  /** Runs one command line with a key. */
  as(key: Hex, ...args: string[]): Promise<Ran>;
}

export async function startCommandsOnChain(): Promise<ChainFixture> {
  const chain = await startTestChain();
  const stateDir = await mkdtemp(join(tmpdir(), "dekuper-cli-"));
  const write = async (name: string, text: string) => {
    const path = join(stateDir, name);
    await writeFile(path, text);
    return path;
  };
  await write("network.json", JSON.stringify(chain.network));
  return {
    chain,
    stateDir,
    write,
    runHere: (args, options = {}) => runHere(args, { ...options, stateDir }),
    as: (key, ...args) => runHere(args, { stateDir, env: { DEKUPER_PRIVATE_KEY: key } }),
    stop: async () => {
      await chain.stop();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}
