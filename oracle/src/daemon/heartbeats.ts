import { type Deployment, HEARTBEAT_INTERVAL_MS, type Heartbeat } from "@dekuper/protocol";
import type { Address } from "viem";
import type { Clock } from "../chain/clock.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { PeerNode } from "../peer/peer.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

/** Sends this node's heartbeat at its interval until `signal` fires. Silent while the chain was never read. */
export async function sendHeartbeats(from: {
  peer: PeerNode;
  reader: ChainReader;
  deployment: Deployment;
  node: Address;
  instanceId: string;
  load: () => { freeGpus: number; leases: number };
  maySign: () => boolean;
  clock: Clock;
  log: OracleLog;
  signal: AbortSignal;
}): Promise<void> {
  const { peer, reader, deployment, clock, log, signal } = from;
  // The clock's milliseconds rise over restarts too, so that one instance never repeats a number.
  let seq = 0;
  while (!signal.aborted) {
    const view = reader.lastReadable;
    if (view !== undefined && from.maySign()) {
      seq = Math.max(seq + 1, clock.now());
      try {
        const heartbeat: Heartbeat = {
          version: 1,
          chainId: deployment.chainId,
          registry: deployment.nodeRegistry,
          node: from.node,
          instanceId: from.instanceId,
          seq,
          blockNumber: view.head.number,
          blockHash: view.head.hash,
          issuedAt: clock.now(),
          ...from.load(),
        };
        await peer.publishHeartbeat(heartbeat);
      } catch (error) {
        log.debug({ error: errorFields(error) }, "heartbeat-not-sent"); // the next one is two seconds away
      }
    }
    await clock.sleep(HEARTBEAT_INTERVAL_MS, signal);
  }
}
