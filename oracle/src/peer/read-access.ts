import {
  DekuperError,
  type Deployment,
  type DirectoryNode,
  type ReadScope,
  type ReadToken,
  readTokenDigest,
} from "@dekuper/protocol";
import type { Hex } from "viem";
import type { ReadPolicy } from "./peer.ts";

const REMEMBERED = 1024;

/**
 * Checks consumers' read tokens. A token may be used again until it expires: a download that is resumed and a log that is
 * followed across reconnects would else ask the wallet each time, and a second use gains nobody anything, because the
 * token travels only over noise, to the one node that holds the lease. The nonce only tells tokens apart.
 */
export class ReadAccess {
  private readonly deployment: Deployment;
  private readonly policy: ReadPolicy;
  private readonly clock: { now(): number };
  /** Digest, consumer and signature of tokens that were verified; ERC-1271 costs an RPC call each time. */
  private readonly verified = new Set<string>();

  constructor(deployment: Deployment, policy: ReadPolicy, clock: { now(): number }) {
    this.deployment = deployment;
    this.policy = policy;
    this.clock = clock;
  }

  /** Throws `READ_DENIED` unless the token lets its bearer read this scope of this lease attempt. */
  async demand(
    token: ReadToken | undefined,
    wanted: { scope: ReadScope; leaseId: Hex; attempt: number },
  ): Promise<void> {
    if (token === undefined) throw denied("a read token is needed");
    if (token.chainId !== this.deployment.chainId || token.registry !== this.deployment.taskRegistry)
      throw denied("the token is for another market");
    if (token.scope !== wanted.scope)
      throw denied(`the token is for ${token.scope}, not for ${wanted.scope}`);
    if (token.leaseId !== wanted.leaseId || token.attempt !== wanted.attempt)
      throw denied("the token is for another lease or attempt");
    if (token.expiry * 1000 <= this.clock.now()) throw denied("the token has expired");
    const consumer = this.policy.consumerOf(token.leaseId, token.attempt);
    if (consumer === undefined) throw denied("this node does not hold the lease");
    const digest = readTokenDigest(token);
    const key = `${digest}${consumer}${token.signature}`;
    if (this.verified.has(key)) return;
    if (!(await this.policy.verifySignature({ consumer, digest, signature: token.signature })))
      throw denied("the signature is not the consumer's");
    this.verified.add(key);
    const oldest = this.verified.values().next().value;
    if (this.verified.size > REMEMBERED && oldest !== undefined) this.verified.delete(oldest);
  }

  /** The same for a log, which a quorum's replica keeps to itself until it has won (rule 21). */
  async demandLog(token: ReadToken, wanted: { leaseId: Hex; attempt: number }): Promise<void> {
    await this.demand(token, { scope: "logs", ...wanted });
    if (this.policy.showsLog?.(wanted.leaseId, wanted.attempt) === false)
      throw denied("a replica of a quorum shows its log once its result has won");
  }

  /** The same for an output, which is named by its ciphertext's root. */
  async demandOutput(token: ReadToken | undefined, ciphertextRoot: Hex): Promise<void> {
    const owner = this.policy.outputOwner(ciphertextRoot);
    if (owner === undefined) throw denied("a read token of its consumer is needed");
    await this.demand(token, { scope: "output", ...owner });
  }

  /** The spec of one's own lease, whose salt verifies its output: another device of the consumer has no copy of it. */
  async demandSpec(token: ReadToken, specDigest: Hex): Promise<void> {
    await this.demand(token, { scope: "output", leaseId: token.leaseId, attempt: token.attempt });
    if (this.policy.specOf?.(token.leaseId, token.attempt) !== specDigest)
      throw denied("the token is for a lease with another spec");
  }

  /**
   * What is sealed under a task key of this salt (rule 11): nodes that were handed that key read it, and on a token the consumer of
   * a lease here. Who asks gets the same answer for what is here and for what is not.
   */
  async demandSealed(
    token: ReadToken | undefined,
    node: DirectoryNode | undefined,
    salt: Hex | undefined,
  ): Promise<void> {
    if (token === undefined) {
      const isHolder =
        node?.active === true && salt !== undefined && this.policy.isKeyHolder?.(node.node, salt);
      if (isHolder !== true) throw denied("only nodes that were handed the task's key read its sealed data");
      return;
    }
    const { leaseId, attempt } = token;
    await this.demand(token, { scope: "output", leaseId, attempt });
    if (salt === undefined || this.policy.isSealedFor?.(leaseId, attempt, salt) !== true)
      throw denied("the token is for a lease of another task");
  }
}

export function denied(reason: string): DekuperError {
  return new DekuperError("READ_DENIED", `Reading is refused: ${reason}.`);
}
