import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex } from "viem";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** Bytes of one leaf of a ciphertext's Merkle tree. */
export const CHUNK_BYTES = 1024 * 1024;

/**
 * Root of an RFC 6962 Merkle tree (section 2.1) over 1 MiB chunks of a byte stream: leaves are `sha256(0x00 || chunk)`,
 * inner nodes `sha256(0x01 || left || right)`. Streaming: memory grows with the logarithm of the size.
 */
export class ChunkTree {
  private readonly pending: Uint8Array[] = []; // roots of full subtrees, largest first
  private readonly sizes: number[] = []; // their leaf counts, strictly falling powers of two
  private chunk = sha256.create().update(LEAF);
  private filled = 0;
  private total = 0;

  update(bytes: Uint8Array): this {
    let rest = bytes;
    while (rest.length > 0) {
      const part = rest.subarray(0, CHUNK_BYTES - this.filled);
      this.chunk.update(part);
      this.filled += part.length;
      this.total += part.length;
      rest = rest.subarray(part.length);
      if (this.filled === CHUNK_BYTES) this.endChunk();
    }
    return this;
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.total;
  }

  /** The root; the tree takes no more bytes after it. */
  root(): Hex {
    if (this.filled > 0) this.endChunk();
    if (this.pending.length === 0) return bytesToHex(sha256(new Uint8Array()));
    const [last, ...larger] = this.pending.slice().reverse();
    return bytesToHex(larger.reduce((right, left) => parentHash(left, right), last ?? new Uint8Array()));
  }

  private endChunk(): void {
    let node: Uint8Array = this.chunk.digest();
    let leaves = 1;
    while (this.sizes.at(-1) === leaves) {
      node = parentHash(this.pending.pop() ?? node, node);
      leaves += this.sizes.pop() ?? 0;
    }
    this.pending.push(node);
    this.sizes.push(leaves);
    this.chunk = sha256.create().update(LEAF);
    this.filled = 0;
  }
}

/** Hash of one chunk. */
export function leafHash(chunk: Uint8Array): Uint8Array {
  return sha256.create().update(LEAF).update(chunk).digest();
}

/** Hash of an inner node. */
export function parentHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256.create().update(NODE).update(left).update(right).digest();
}

/** Root and size of bytes in memory. */
export function chunkRoot(bytes: Uint8Array): Hex {
  return new ChunkTree().update(bytes).root();
}
