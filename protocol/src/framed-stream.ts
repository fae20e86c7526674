import { DekuperError } from "./errors.ts";

/** What framing needs of a libp2p 3 stream; libp2p's own `Stream` fits. No libp2p import, so that protocol stays pure. */
export interface ByteStream {
  send(data: Uint8Array): boolean;
  close(options?: { signal?: AbortSignal }): Promise<void>;
  abort(error: Error): void;
  pause(): void;
  resume(): void;
  readonly readBufferLength: number;
  readonly writableNeedsDrain: boolean;
  addEventListener(
    type: "message",
    listener: (event: { readonly data: { subarray(): Uint8Array } }) => void,
  ): void;
  addEventListener(type: "close", listener: (event: { readonly error?: Error | undefined }) => void): void;
  addEventListener(type: "remoteCloseWrite" | "drain", listener: () => void): void;
}

/** Unread bytes above which the remote is asked to wait. */
const HIGH_WATER_BYTES = 512 * 1024;
/** Bytes handed to the stream at once. */
const WRITE_BYTES = 64 * 1024;
const MAX_LENGTH_BYTES = 4;

/**
 * Frames and raw bytes over one stream, with back-pressure both ways and a limit on silence.
 * libp2p 3.3's own iterator queues without bound and its `onDrain` resolves only the first time, so neither is used.
 */
export class FramedStream {
  private readonly stream: ByteStream;
  private readonly chunks: Uint8Array[] = [];
  private queued = 0;
  private paused = false;
  private remoteEnded = false;
  private closed = false;
  private failure: Error | undefined;
  private wake: (() => void) | undefined;
  private wakeWriter: (() => void) | undefined;
  private lastActive = Date.now();
  /** Longest time without bytes in either direction, in milliseconds; a channel that may be silent for long raises it. */
  idleMs: number;

  constructor(stream: ByteStream, options: { idleMs: number }) {
    this.stream = stream;
    this.idleMs = options.idleMs;
    stream.addEventListener("message", (event) => this.onBytes(event.data.subarray()));
    stream.addEventListener("remoteCloseWrite", () => {
      this.remoteEnded = true;
      this.wake?.();
    });
    stream.addEventListener("drain", () => this.wakeWriter?.());
    stream.addEventListener("close", (event) => {
      this.closed = true;
      this.failure ??= event.error;
      this.unpause();
      this.wake?.();
      this.wakeWriter?.();
    });
  }

  /** Some bytes, at most `max`; undefined at the end. */
  async read(max: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    while (this.queued === 0) {
      this.unpause();
      if (this.queued > 0) break;
      if (this.failure !== undefined) throw cut(this.failure);
      if (this.closed || this.remoteEnded) return undefined;
      await this.wait("wake", signal);
    }
    const first = this.chunks[0] as Uint8Array;
    const part = first.subarray(0, max);
    if (part.length === first.length) this.chunks.shift();
    else this.chunks[0] = first.subarray(part.length);
    this.queued -= part.length;
    if (this.queued < HIGH_WATER_BYTES / 2) this.unpause();
    return part;
  }

  /** Exactly `count` bytes as they come; throws if the remote ends earlier. */
  async *bytes(count: number, signal?: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    let left = count;
    while (left > 0) {
      const part = await this.read(left, signal);
      if (part === undefined) throw cut(new Error(`${left} of ${count} bytes are missing`));
      left -= part.length;
      yield part;
    }
  }

  /** One length-prefixed frame of at most `max` bytes; undefined if the remote ended before it. */
  async readFrame(max: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    let length = 0;
    for (let index = 0; ; index++) {
      const byte = (await this.read(1, signal))?.[0];
      if (byte === undefined) {
        if (index === 0) return undefined;
        throw cut(new Error("the frame has no end"));
      }
      if (index === MAX_LENGTH_BYTES)
        throw new DekuperError("MESSAGE_INVALID", "A frame's length is too long.");
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) break;
    }
    if (length > max)
      throw new DekuperError("MESSAGE_INVALID", `A frame of ${length} bytes, at most ${max} are taken.`);
    const frame = new Uint8Array(length);
    let filled = 0;
    for await (const part of this.bytes(length, signal)) {
      frame.set(part, filled);
      filled += part.length;
    }
    return frame;
  }

  /** Sends bytes and waits while the remote is slower. */
  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    for (let offset = 0; offset < bytes.length; offset += WRITE_BYTES) {
      await this.writable(signal);
      try {
        this.stream.send(bytes.subarray(offset, offset + WRITE_BYTES));
        this.lastActive = Date.now();
      } catch (error) {
        throw cut(error);
      }
    }
    await this.writable(signal);
  }

  /** Sends one length-prefixed frame. */
  async writeFrame(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    await this.write(encodeFrame(bytes), signal);
  }

  /** No more bytes follow from here; what was sent still arrives. */
  async end(): Promise<void> {
    try {
      await this.stream.close({ signal: AbortSignal.timeout(Math.min(this.idleMs, 60_000)) });
    } catch (error) {
      throw cut(error);
    }
  }

  /** Ends both directions at once. */
  abort(error: Error): void {
    this.failure ??= error;
    this.stream.abort(error);
    this.wake?.();
    this.wakeWriter?.();
  }

  private async writable(signal?: AbortSignal): Promise<void> {
    for (;;) {
      if (this.failure !== undefined) throw cut(this.failure);
      if (this.closed) throw cut(new Error("the stream is closed"));
      if (!this.stream.writableNeedsDrain) return;
      await this.wait("wakeWriter", signal);
    }
  }

  private onBytes(bytes: Uint8Array): void {
    this.chunks.push(bytes);
    this.queued += bytes.length;
    this.lastActive = Date.now();
    if (this.queued > HIGH_WATER_BYTES && !this.paused && !this.closed && !this.remoteEnded) {
      this.paused = true;
      this.stream.pause();
    }
    this.wake?.();
  }

  private unpause(): void {
    if (!this.paused) return;
    this.paused = false;
    try {
      this.stream.resume();
    } catch (error) {
      this.failure ??= error instanceof Error ? error : new Error(String(error));
    }
  }

  private wait(slot: "wake" | "wakeWriter", signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const done = (error?: Error) => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", onAbort);
        this[slot] = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      const arm = (ms: number) => {
        timer = setTimeout(() => {
          const left = this.lastActive + this.idleMs - Date.now();
          if (left > 0) arm(left);
          else done(new DekuperError("TIMED_OUT", `The peer was silent for ${this.idleMs / 1000} s.`));
        }, ms);
      };
      const onAbort = () => done(cut(signal?.reason));
      if (signal?.aborted) return onAbort();
      signal?.addEventListener("abort", onAbort, { once: true });
      this[slot] = () => done();
      arm(this.idleMs);
    });
  }
}

/** A frame: its length as an unsigned varint (LEB128), then the bytes. */
export function encodeFrame(bytes: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = bytes.length;
  do {
    prefix.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  if (prefix.length > MAX_LENGTH_BYTES)
    throw new DekuperError("INTERNAL", `A frame of ${bytes.length} bytes is too long.`);
  const frame = new Uint8Array(prefix.length + bytes.length);
  frame.set(prefix);
  frame.set(bytes, prefix.length);
  return frame;
}

function cut(cause: unknown): DekuperError {
  if (cause instanceof DekuperError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DekuperError("PEER_UNREACHABLE", `The connection ended: ${reason}.`, { cause });
}
