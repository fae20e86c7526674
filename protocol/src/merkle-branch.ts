import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex, type Hex, hexToBytes } from "viem";
import { CHUNK_BYTES, leafHash, parentHash } from "./merkle.ts";

/** Most hashes of a branch: the tree of 2^64 bytes has fewer levels. */
export const MAX_BRANCH_HASHES = 64;

/** How many chunks so many bytes have. */
export function chunkCount(size: bigint): number {
  const chunk = BigInt(CHUNK_BYTES);
  return Number((size + chunk - 1n) / chunk);
}

/** Bytes of one chunk: all but the last are whole. */
export function chunkLength(size: bigint, index: number): number {
  const left = size - BigInt(index) * BigInt(CHUNK_BYTES);
  return left < 0n ? 0 : Number(left < BigInt(CHUNK_BYTES) ? left : BigInt(CHUNK_BYTES));
}

/** The whole tree over leaf hashes: gives the branch of every chunk. 64 bytes of memory for each MiB. */
export class BranchTree {
  /** Leaves first, root last. A node without a right neighbour rises as it is, which is RFC 6962's split. */
  private readonly levels: readonly (readonly Uint8Array[])[];

  /** `leaves`: `leafHash` of every chunk, in order; at least one. */
  constructor(leaves: readonly Uint8Array[]) {
    const levels = [leaves];
    for (let below = leaves; below.length > 1; levels.push(below)) below = above(below);
    this.levels = levels;
  }

  root(): Hex {
    return bytesToHex(this.levels.at(-1)?.[0] ?? sha256(new Uint8Array()));
  }

  /** RFC 6962 audit path (section 2.1.1), from the leaf's neighbour up. */
  branch(index: number): Hex[] {
    const hashes: Hex[] = [];
    let at = index;
    for (const level of this.levels) {
      const neighbour = level[at % 2 === 0 ? at + 1 : at - 1];
      if (neighbour !== undefined) hashes.push(bytesToHex(neighbour));
      at = Math.floor(at / 2);
    }
    return hashes;
  }
}

/** Whether bytes are chunk `index` of the ciphertext of `size` bytes with this root. */
export function verifyBranch(from: {
  root: Hex;
  /** Of the whole ciphertext, bytes. */
  size: bigint;
  index: number;
  chunk: Uint8Array;
  branch: readonly Hex[];
}): boolean {
  const { root, size, index, chunk, branch } = from;
  const count = chunkCount(size);
  if (index < 0 || index >= count || chunk.length !== chunkLength(size, index)) return false;
  const rest = branch.map((hash) => hexToBytes(hash));
  let hash = leafHash(chunk);
  let at = index;
  for (let width = count; width > 1; width = Math.ceil(width / 2)) {
    const isLastAlone = at % 2 === 0 && at === width - 1;
    if (!isLastAlone) {
      const neighbour = rest.shift();
      if (neighbour === undefined) return false;
      hash = at % 2 === 0 ? parentHash(hash, neighbour) : parentHash(neighbour, hash);
    }
    at = Math.floor(at / 2);
  }
  return rest.length === 0 && bytesToHex(hash) === root;
}

function above(level: readonly Uint8Array[]): Uint8Array[] {
  const parents: Uint8Array[] = [];
  for (let at = 0; at < level.length; at += 2) {
    const [left, right] = level.slice(at, at + 2);
    if (left !== undefined) parents.push(right === undefined ? left : parentHash(left, right));
  }
  return parents;
}
