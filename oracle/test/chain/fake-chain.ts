import { type Hex, keccak256, numberToHex, parseTransaction, recoverTransactionAddress, toHex } from "viem";
import { type Handler, RpcFault } from "./rpc-server.ts";

const hex = (value: number | bigint) => numberToHex(value);
const hashOf = (text: string): Hex => keccak256(toHex(text));

interface Block {
  readonly number: number;
  readonly hash: Hex;
  readonly timestamp: number;
  readonly transactions: readonly Mempooled[];
}

interface Mempooled {
  readonly hash: Hex;
  readonly from: Hex;
  readonly nonce: number;
  readonly maxFee: bigint;
}

/** A chain in memory with blocks made by hand: for what a real one never does on demand. */
export class FakeChain {
  chainId = 31337;
  baseFee = 10n;
  balance = 10n ** 18n;
  code: Hex = "0x60";
  gasEstimate = 100_000n;
  /** The number of the `finalized` block; undefined: the tag is not known. */
  finalized: number | undefined;
  /** Blocks take transactions in only while this is set. */
  includes = true;
  readonly mempool = new Map<Hex, Mempooled>();
  readonly blocks: Block[] = [];
  private readonly nonces = new Map<Hex, number>();

  constructor(length = 1, branch = "main") {
    for (let number = 0; number < length; number++) this.mine(branch);
  }

  get head(): Block {
    return this.blocks.at(-1) as Block;
  }

  mine(branch = "main"): Block {
    const number = this.blocks.length;
    const taken = this.includes
      ? [...this.mempool.values()].filter((tx) => tx.nonce === this.nonceOf(tx.from))
      : [];
    for (const { hash, from, nonce } of taken) {
      this.nonces.set(from, nonce + 1);
      for (const [other, tx] of this.mempool)
        if (tx.from === from && tx.nonce === nonce) this.mempool.delete(other);
      this.mempool.delete(hash);
    }
    const block = {
      number,
      hash: hashOf(`${branch} ${number}`),
      timestamp: 1_000_000 + number,
      transactions: taken,
    };
    this.blocks.push(block);
    return block;
  }

  /** Takes blocks back; their transactions are forgotten. */
  drop(count: number): void {
    for (const { transactions } of this.blocks.splice(-count).reverse())
      for (const { from, nonce } of [...transactions].reverse()) this.nonces.set(from, nonce);
  }

  nonceOf(from: Hex): number {
    return this.nonces.get(from.toLowerCase() as Hex) ?? 0;
  }

  /** The account's nonce is spent by somebody else. */
  spendNonce(from: Hex): void {
    this.nonces.set(from.toLowerCase() as Hex, this.nonceOf(from) + 1);
  }

  handlers(): Record<string, Handler> {
    return {
      eth_chainId: () => hex(this.chainId),
      eth_getBlockByNumber: (which: string) => this.show(this.find(which)),
      eth_getLogs: () => [],
      eth_getCode: () => this.code,
      eth_getBalance: () => hex(this.balance),
      eth_maxPriorityFeePerGas: () => hex(1),
      eth_estimateGas: () => hex(this.gasEstimate),
      eth_getTransactionCount: (from: Hex) => hex(this.nonceOf(from)),
      eth_sendRawTransaction: (raw: Hex) => this.take(raw),
      eth_getTransactionReceipt: (hash: Hex) => this.receipt(hash),
    };
  }

  private find(which: string): Block | undefined {
    if (which === "latest") return this.head;
    if (which !== "finalized") return this.blocks[Number(which)];
    if (this.finalized === undefined) throw new RpcFault(-39001, "unknown block");
    return this.blocks[this.finalized];
  }

  private async take(raw: Hex): Promise<Hex> {
    const { nonce = 0, maxFeePerGas = 0n } = parseTransaction(raw);
    const hash = keccak256(raw);
    const from = (
      await recoverTransactionAddress({ serializedTransaction: raw as `0x02${string}` })
    ).toLowerCase() as Hex;
    if (this.mempool.has(hash)) throw new RpcFault(-32000, "already known");
    if (nonce < this.nonceOf(from)) throw new RpcFault(-32000, "nonce too low");
    const rival = [...this.mempool.values()].find((tx) => tx.from === from && tx.nonce === nonce);
    if (rival !== undefined) {
      if (maxFeePerGas * 10n < rival.maxFee * 11n)
        throw new RpcFault(-32000, "replacement transaction underpriced");
      this.mempool.delete(rival.hash);
    }
    this.mempool.set(hash, { hash, from, nonce, maxFee: maxFeePerGas });
    return hash;
  }

  private receipt(hash: Hex): object | null {
    const block = this.blocks.find(({ transactions }) => transactions.some((tx) => tx.hash === hash));
    if (block === undefined) return null;
    return {
      transactionHash: hash,
      blockHash: block.hash,
      blockNumber: hex(block.number),
      gasUsed: hex(90_000),
      cumulativeGasUsed: hex(90_000),
      effectiveGasPrice: hex(this.baseFee + 1n),
      status: "0x1",
      logs: [],
      type: "0x2",
    };
  }

  private show(block: Block | undefined): object | null {
    if (block === undefined) return null;
    const { number, hash, timestamp } = block;
    return {
      number: hex(number),
      hash,
      parentHash: this.blocks[number - 1]?.hash ?? hashOf("none"),
      timestamp: hex(timestamp),
      baseFeePerGas: hex(this.baseFee),
      gasLimit: hex(30_000_000),
      gasUsed: "0x0",
      difficulty: "0x0",
      totalDifficulty: null,
      size: "0x0",
      nonce: "0x0000000000000000",
      transactions: [],
      uncles: [],
    };
  }
}
