import type { DirectoryNode, PeerDirectory } from "@dekuper/protocol";
import type { Address } from "viem";

/** Least time between two readings for a node that is not known, milliseconds. */
const UNKNOWN_MS = 5_000;
/** Age of what is known after which it is read again while somebody listens, milliseconds. */
const LISTENING_MS = 60_000;

/**
 * A directory that is read again where it lacks a node: a session that lasts for days meets nodes that were registered
 * after its start. Readings are one at a time and have an interval, so that asking for nodes that nobody has registered
 * costs the RPC no more.
 */
export class FreshDirectory {
  private readonly directory: PeerDirectory;
  private readonly reread: (() => Promise<void>) | undefined;
  private readonly now: () => number;
  private readAt: number;
  private reading: Promise<void> | undefined;

  /** `reread` brings the directory up to date; without it, the directory is what its owner makes of it. */
  constructor(from: {
    directory: PeerDirectory;
    reread?: (() => Promise<void>) | undefined;
    /** Milliseconds. */
    now?: (() => number) | undefined;
  }) {
    this.directory = from.directory;
    this.reread = from.reread;
    this.now = from.now ?? Date.now;
    this.readAt = this.now();
  }

  /** Undefined: not registered, as of at most five seconds ago. Throws what reading does. */
  async find(node: Address): Promise<DirectoryNode | undefined> {
    const known = this.directory.find(node);
    if (known !== undefined) return known;
    await this.refresh(UNKNOWN_MS);
    return this.directory.find(node);
  }

  /** Reads again, unless what is known is younger than this. */
  async refresh(maxAgeMs = LISTENING_MS): Promise<void> {
    if (this.reread === undefined) return;
    if (this.reading === undefined && this.now() - this.readAt < maxAgeMs) return;
    this.reading ??= this.reread().finally(() => {
      this.readAt = this.now(); // also after a failure: the RPC is not asked in a loop
      this.reading = undefined;
    });
    return this.reading;
  }
}
