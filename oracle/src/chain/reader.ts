import { DekuperError, type Deployment } from "@dekuper/protocol";
import { createPublicClient, http, type PublicClient } from "viem";
import type { Clock } from "./clock.ts";
import { type BlockRef, type ChainView, FALLBACK_FINALITY_DEPTH, type Finality } from "./view.ts";

export interface ChainReaderOptions {
  readonly deployment: Deployment;
  readonly rpcUrls: readonly string[];
  readonly finality: Finality;
  /** Blocks, the one that carries a fact included, before anything is created from it. */
  readonly minConfirmations: number;
  /** Of one request, milliseconds. */
  readonly timeoutMs?: number;
  readonly clock: Clock;
}

/** One RPC and what it said last. */
export interface Rpc {
  readonly url: string;
  readonly client: PublicClient;
}

interface Answer {
  readonly rpc: Rpc;
  readonly head: BlockRef;
  readonly final: BlockRef;
}

/** Reads the chain through one or several RPCs. What they cannot say together is unreadable, never absent. */
export class ChainReader {
  readonly rpcs: readonly Rpc[];
  private readonly options: ChainReaderOptions;
  private answers: readonly Answer[] = [];
  private current: ChainView = { evidence: "unreadable", reason: "not-read-yet" };
  private last: Extract<ChainView, { evidence: "readable" }> | undefined;
  private noFinalizedTag = false;

  constructor(options: ChainReaderOptions) {
    this.options = options;
    this.rpcs = options.rpcUrls.map((url) => ({
      url,
      client: createPublicClient({
        transport: http(url, {
          retryCount: 0,
          timeout: options.timeoutMs ?? 5_000,
          batch: { batchSize: 64, wait: 0 },
        }),
      }),
    }));
  }

  get view(): ChainView {
    return this.current;
  }

  /** The last view that could be read, however old. */
  get lastReadable(): Extract<ChainView, { evidence: "readable" }> | undefined {
    return this.last;
  }

  /** RPCs that answered the last time, the one with the highest head first. */
  get healthy(): readonly Rpc[] {
    return this.answers.map(({ rpc }) => rpc);
  }

  /** Refreshes the view; never throws for what RPCs do. */
  async look(): Promise<ChainView> {
    const asked = await Promise.allSettled(this.rpcs.map((rpc) => this.ask(rpc)));
    this.answers = asked
      .filter((result) => result.status === "fulfilled")
      .map((result) => result.value)
      .sort((a, b) => b.head.number - a.head.number);
    const best = this.answers[0];
    if (best === undefined) this.current = { evidence: "unreadable", reason: "no-rpc-answers" };
    else if (!(await this.agree())) this.current = { evidence: "unreadable", reason: "rpcs-disagree" };
    else {
      const sameHead = this.last?.head.hash === best.head.hash;
      this.current = {
        evidence: "readable",
        head: best.head,
        final: best.final,
        confirmed: Math.max(0, best.head.number - (this.options.minConfirmations - 1)),
        headSeenAt: sameHead && this.last !== undefined ? this.last.headSeenAt : this.options.clock.now(),
      };
      this.last = this.current;
    }
    return this.current;
  }

  /** Asks the best RPC, then the others. `RPC_UNAVAILABLE` when none answers; a contract's revert is an answer. */
  async read<T>(work: (client: PublicClient) => Promise<T>): Promise<T> {
    const order = this.answers.length > 0 ? this.healthy : this.rpcs;
    let cause: unknown;
    for (const rpc of order) {
      try {
        return await work(rpc.client);
      } catch (error) {
        if (isAnswer(error)) throw error;
        cause = error;
      }
    }
    throw new DekuperError("RPC_UNAVAILABLE", `None of ${order.length} RPCs answers.`, { cause });
  }

  /**
   * Positive evidence: the same answer from two RPCs where two are configured, else from the one. Undefined when too few
   * answer or they differ.
   */
  async readAgreed<T>(
    work: (client: PublicClient) => Promise<T>,
    key: (answer: T) => string,
  ): Promise<T | undefined> {
    const needed = Math.min(2, this.rpcs.length);
    const settled = await Promise.allSettled(this.healthy.map((rpc) => work(rpc.client)));
    const given = settled.filter((result) => result.status === "fulfilled").map((result) => result.value);
    const first = given[0];
    if (first === undefined || given.length < needed) return undefined;
    return given.every((answer) => key(answer) === key(first)) ? first : undefined;
  }

  private async ask(rpc: Rpc): Promise<Answer> {
    const head = await blockOf(rpc.client, { blockTag: "latest" });
    return { rpc, head, final: await this.finalBlock(rpc, head) };
  }

  private async finalBlock(rpc: Rpc, head: BlockRef): Promise<BlockRef> {
    const { finality } = this.options;
    if (finality.kind === "tag" && !this.noFinalizedTag) {
      try {
        return await blockOf(rpc.client, { blockTag: "finalized" });
      } catch (error) {
        if (!isAnswer(error)) throw error;
        this.noFinalizedTag = true;
      }
    }
    const depth = finality.kind === "depth" ? finality.depth : FALLBACK_FINALITY_DEPTH;
    const number = Math.max(0, head.number - depth);
    return number === head.number ? head : blockOf(rpc.client, { blockNumber: BigInt(number) });
  }

  /** RPCs may lag, but at the lowest of their final blocks they must have the same hash. */
  private async agree(): Promise<boolean> {
    if (this.answers.length < 2) return true;
    const lowest = Math.min(...this.answers.map(({ final }) => final.number));
    try {
      const hashes = await Promise.all(
        this.answers.map(async ({ rpc, final }) =>
          final.number === lowest
            ? final.hash
            : (await blockOf(rpc.client, { blockNumber: BigInt(lowest) })).hash,
        ),
      );
      return new Set(hashes).size === 1;
    } catch {
      return false; // An RPC that cannot show a block that it calls final says nothing that can be relied on.
    }
  }
}

/** One block by number or tag. */
export async function blockOf(
  client: PublicClient,
  which: { blockTag: "latest" | "finalized" } | { blockNumber: bigint },
): Promise<BlockRef> {
  const block = await client.getBlock(which);
  if (block.number === null || block.hash === null)
    throw new DekuperError("RPC_UNAVAILABLE", "The RPC gave a block without number or hash.");
  return {
    number: Number(block.number),
    hash: block.hash,
    timestamp: Number(block.timestamp),
    baseFee: block.baseFeePerGas ?? 0n,
  };
}

const ANSWERS = new Set([
  "ContractFunctionRevertedError",
  "ContractFunctionZeroDataError",
  "ExecutionRevertedError",
  "InvalidParamsRpcError",
  "InvalidInputRpcError",
  "MethodNotFoundRpcError",
  "MethodNotSupportedRpcError",
  "BlockNotFoundError",
  "InsufficientFundsError",
]);

/** Whether an error is the chain's answer rather than a failure to reach it. */
export function isAnswer(error: unknown): boolean {
  let current: unknown = error;
  for (let depth = 0; depth < 10 && current instanceof Error; depth++) {
    if (ANSWERS.has(current.name)) return true;
    current = current.cause;
  }
  return false;
}
