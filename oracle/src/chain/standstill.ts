import { DekuperError } from "@dekuper/protocol";
import { LOCAL_CHAIN_IDS } from "./checks.ts";
import type { Clock } from "./clock.ts";
import type { ChainReader } from "./reader.ts";

/** How long a head may stand before it counts as standing still, milliseconds. */
export const STANDSTILL_MS = { local: 5_000, other: 120_000 } as const;

/**
 * Watches that the head moves: chain time is the head's timestamp, so every deadline waits for it. A dev chain that mines
 * only on transactions is asked for interval mining; where that is not served, `CHAIN_STANDS_STILL` names the flag.
 */
export class StandstillWatch {
  private readonly reader: ChainReader;
  private readonly clock: Clock;
  private readonly chainId: number;
  /** When the chain was asked to mine, Unix milliseconds. */
  private askedAt: number | undefined;

  constructor(reader: ChainReader, chainId: number, clock: Clock) {
    this.reader = reader;
    this.chainId = chainId;
    this.clock = clock;
  }

  /** The problem, or undefined while the head moves. */
  async check(): Promise<DekuperError | undefined> {
    const { view } = this.reader;
    if (view.evidence === "unreadable") return undefined;
    const isLocal = LOCAL_CHAIN_IDS.has(this.chainId);
    const limit = isLocal ? STANDSTILL_MS.local : STANDSTILL_MS.other;
    const now = this.clock.now();
    const stood = now - view.headSeenAt;
    if (stood < limit) {
      this.askedAt = undefined;
      return undefined;
    }
    if (isLocal && this.askedAt === undefined) {
      this.askedAt = now;
      if (await this.askForMining()) return undefined;
      this.askedAt = Number.NEGATIVE_INFINITY; // Not served: asking again would change nothing.
    }
    if (this.askedAt !== undefined && now - this.askedAt < limit) return undefined;
    return new DekuperError(
      "CHAIN_STANDS_STILL",
      `The chain's head has been block ${view.head.number} for ${Math.round(stood / 1000)} s.`,
      { details: { block: view.head.number, chainId: this.chainId } },
    );
  }

  /** anvil takes seconds, Hardhat milliseconds, under the same name. */
  private async askForMining(): Promise<boolean> {
    try {
      await this.reader.read(async (client) => {
        const request = client.request as (call: { method: string; params?: unknown[] }) => Promise<unknown>;
        const version = String(await request({ method: "web3_clientVersion" }));
        const isAnvil = version.toLowerCase().startsWith("anvil");
        await request({
          method: isAnvil ? "anvil_setIntervalMining" : "evm_setIntervalMining",
          params: [isAnvil ? 1 : 1000],
        });
      });
      return true;
    } catch {
      return false; // Not served, or not reachable: the watch reports the standstill itself.
    }
  }
}
