import { createHash } from "node:crypto";
import {
  BranchTree,
  CHUNK_BYTES,
  type ChunkRequest,
  chunkLength,
  DekuperError,
  type DirectoryNode,
} from "@dekuper/protocol";
import type { Address, Hex } from "viem";
import type { BlobStore } from "../peer/peer.ts";
import { denied } from "../peer/read-access.ts";
import type { OpenClaims } from "./verdict-claims.ts";

/** How often one attester may have every drawn chunk of one claim: its transfers may be cut. */
const SERVINGS = 8;
/** Longest that a request waits for the tree of a large output, milliseconds; the next one finds more of it done. */
const TREE_WAIT_MS = 10_000;
const MOST_TREES = 4;
const MOST_COUNTED = 4_096;
/** As the protocol's `leafHash`, with the platform's own sha-256. */
const LEAF = Uint8Array.of(0);

/** Hands the drawn chunks of this node's disputed outputs to seated attesters (rule 20). */
export class DisputedChunks {
  private readonly node: Address;
  private readonly blobs: Pick<BlobStore, "has" | "read">;
  private readonly claims: Pick<OpenClaims, "of" | "seats">;
  private readonly trees = new Map<Hex, Promise<BranchTree>>();
  private readonly served = new Map<string, number>();

  constructor(deps: {
    node: Address;
    blobs: Pick<BlobStore, "has" | "read">;
    claims: Pick<OpenClaims, "of" | "seats">;
  }) {
    this.node = deps.node;
    this.blobs = deps.blobs;
    this.claims = deps.claims;
  }

  /** Throws `READ_DENIED`, `BLOB_NOT_FOUND`, or `TIMED_OUT` while the tree of a large output is being made. */
  async serve({ leaseId, attempt, index }: ChunkRequest, attester: DirectoryNode) {
    const [{ seats }, claim] = await Promise.all([this.claims.seats(), this.claims.of(leaseId, attempt)]);
    if (!seats.has(attester.node)) throw denied("the asking node has no seat in the committee");
    if (claim?.node !== this.node) throw denied("nobody disputes such a delivery of this node");
    if (!claim.drawn.includes(index)) throw denied(`the claim's block does not draw chunk ${index}`);
    this.count(`${attester.node}:${leaseId}:${claim.claimedAt}`, SERVINGS * claim.drawn.length);
    const { ciphertextRoot, ciphertextSize } = claim.attestation;
    const tree = await this.tree(ciphertextRoot);
    const size = chunkLength(ciphertextSize, index);
    return { branch: tree.branch(index), size, bytes: this.bytes(ciphertextRoot, index, size) };
  }

  private count(key: string, most: number): void {
    const before = this.served.get(key) ?? 0;
    if (before >= most) throw denied("this attester was given the chunks often enough");
    if (this.served.size >= MOST_COUNTED) this.served.clear();
    this.served.set(key, before + 1);
  }

  private async tree(root: Hex): Promise<BranchTree> {
    const name = { kind: "output", digest: root } as const;
    if ((await this.blobs.has(name)) === undefined)
      throw new DekuperError("BLOB_NOT_FOUND", "This node has no such output.", { details: { root } });
    let tree = this.trees.get(root);
    if (tree === undefined) {
      const [oldest] = this.trees.keys();
      if (this.trees.size >= MOST_TREES && oldest !== undefined) this.trees.delete(oldest);
      tree = treeOf(this.blobs.read(name));
      tree.catch(() => this.trees.delete(root));
      this.trees.set(root, tree);
    }
    const done = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => done.reject(new DekuperError("TIMED_OUT", "The output's tree is being made; ask again.")),
      TREE_WAIT_MS,
    );
    try {
      return await Promise.race([tree, done.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async *bytes(root: Hex, index: number, size: number): AsyncGenerator<Uint8Array, void, undefined> {
    let left = size;
    for await (const part of this.blobs.read({ kind: "output", digest: root }, index * CHUNK_BYTES)) {
      yield part.subarray(0, left);
      left -= part.length;
      if (left <= 0) return;
    }
  }
}

async function treeOf(bytes: AsyncIterable<Uint8Array>): Promise<BranchTree> {
  const leaves: Uint8Array[] = [];
  let hash = createHash("sha256").update(LEAF);
  let filled = 0;
  const end = () => {
    leaves.push(new Uint8Array(hash.digest()));
    hash = createHash("sha256").update(LEAF);
    filled = 0;
  };
  for await (const part of bytes)
    for (let rest = part; rest.length > 0; ) {
      const taken = rest.subarray(0, CHUNK_BYTES - filled);
      hash.update(taken);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled === CHUNK_BYTES) end();
    }
  if (filled > 0) end();
  return new BranchTree(leaves);
}
