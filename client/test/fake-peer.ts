import type { ConsumerPeer } from "@dekuper/client";
import {
  type BlobName,
  DekuperError,
  type QuoteAnswer,
  type QuoteRequest,
  type ReadToken,
  type Receipt,
} from "@dekuper/protocol";
import type { Address } from "viem";
import { concat } from "./delivery-builder.ts";

/** A peer whose nodes are maps; `cutAfter` ends a transfer there, once each. */
export class FakePeer implements ConsumerPeer {
  readonly blobs = new Map<string, Uint8Array>();
  readonly unreachable = new Set<Address>();
  readonly cuts: number[] = [];
  readonly gets: { node: Address; name: BlobName; offset: number; token: ReadToken | undefined }[] = [];
  readonly puts: { node: Address; name: BlobName }[] = [];
  /** What each node answers to a quote request; the others cannot be reached. */
  readonly quotes = new Map<Address, (request: QuoteRequest, signal?: AbortSignal) => Promise<QuoteAnswer>>();
  readonly receipts: Receipt[] = [];
  refusesReceipts: DekuperError | undefined;
  log: Uint8Array | DekuperError = new Uint8Array();
  logReads = 0;

  key(node: Address, name: BlobName): string {
    return `${node}/${name.kind}/${name.digest}`;
  }

  async start() {
    /* nothing to start */
  }
  async stop() {
    /* nothing to stop */
  }

  async putBlob(...[node, name, source]: Parameters<ConsumerPeer["putBlob"]>) {
    this.reach(node);
    const parts: Uint8Array[] = [];
    for await (const part of source instanceof Uint8Array ? [source] : source.open(0)) parts.push(part);
    this.blobs.set(this.key(node, name), concat(parts));
    this.puts.push({ node, name });
  }

  async hasBlob(...[node, name]: Parameters<ConsumerPeer["hasBlob"]>) {
    const bytes = this.blobs.get(this.key(node, name));
    return bytes === undefined ? undefined : { size: bytes.length };
  }

  async *getBlob(...[node, name, options = {}]: Parameters<ConsumerPeer["getBlob"]>) {
    this.reach(node);
    const { offset = 0, token } = options;
    this.gets.push({ node, name, offset, token });
    if (name.kind !== "output" && token === undefined)
      throw new DekuperError("READ_DENIED", "Nodes give specs and inputs to each other only.");
    const bytes = this.blobs.get(this.key(node, name));
    if (bytes === undefined) throw new DekuperError("BLOB_NOT_FOUND", "The node has no such blob.");
    const cut = name.kind === "output" ? this.cuts.shift() : undefined;
    const rest = bytes.subarray(offset, cut === undefined ? undefined : offset + cut);
    for (let at = 0; at < rest.length; at += 1000) yield rest.subarray(at, at + 1000);
    if (cut !== undefined) throw new DekuperError("PEER_UNREACHABLE", "The stream was cut.");
  }

  async *followLogs(...[node, { offset }]: Parameters<ConsumerPeer["followLogs"]>) {
    this.reach(node);
    this.logReads += 1;
    if (this.log instanceof DekuperError) throw this.log;
    const cut = this.cuts.shift();
    yield this.log.subarray(offset, cut === undefined ? undefined : offset + cut);
    if (cut !== undefined) throw new DekuperError("PEER_UNREACHABLE", "The stream was cut.");
  }

  async askQuote(...[node, request, options = {}]: Parameters<ConsumerPeer["askQuote"]>) {
    this.reach(node);
    const answer = this.quotes.get(node);
    if (answer === undefined) throw new DekuperError("PEER_UNREACHABLE", `${node} cannot be reached.`);
    return answer(request, options.signal);
  }

  async giveReceipt(...[node, receipt]: Parameters<ConsumerPeer["giveReceipt"]>) {
    this.reach(node);
    if (this.refusesReceipts !== undefined) throw this.refusesReceipts;
    this.receipts.push(receipt);
  }

  subscribeHeartbeats() {
    return () => undefined;
  }

  private reach(node: Address): void {
    if (this.unreachable.has(node)) throw new DekuperError("PEER_UNREACHABLE", `${node} cannot be reached.`);
  }
}
