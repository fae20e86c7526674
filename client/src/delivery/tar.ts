import { DekuperError } from "@dekuper/protocol";

/** A regular file in a tar stream. Its bytes are to be read to the end before the next entry is taken. */
export interface TarEntry {
  readonly path: string;
  readonly size: number;
  readonly bytes: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
/** Most bytes of a pax header: a path of 1 KiB fits many times. */
const MAX_PAX_BYTES = 64 * 1024;

/**
 * Reads a POSIX tar (ustar with pax headers, IEEE 1003.1 "pax Interchange Format") as it streams in. Regular files only:
 * folders are skipped, links, devices and anything unknown are refused. Nothing is interpreted as a path here.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry, void, undefined> {
  const reader = new ByteReader(source);
  let pax: ReadonlyMap<string, string> = new Map();
  try {
    for (;;) {
      const header = await reader.exactly(BLOCK);
      if (header.every((byte) => byte === 0)) break;
      requireChecksum(header);
      const type = String.fromCharCode(header[156] ?? 0);
      const size = sizeOf(header, pax);
      if (type === "x") {
        if (size > MAX_PAX_BYTES) throw hostile(`a pax header of ${size} bytes`);
        pax = parsePax(await reader.exactly(size));
        await reader.skip(padding(size));
        continue;
      }
      if (type === "5") {
        await reader.skip(size + padding(size));
      } else if (type === "0" || type === "\0") {
        const bytes = reader.take(size);
        yield { path: pax.get("path") ?? pathOf(header), size, bytes };
        await bytes.drain();
        await reader.skip(padding(size));
      } else {
        throw hostile(`an entry of type ${JSON.stringify(type)}: ${pathOf(header)}`);
      }
      pax = new Map();
    }
    await reader.drain(); // what follows the end blocks is padding; the stream must still end well
  } finally {
    await reader.close();
  }
}

/** Pulls exact numbers of bytes out of chunks of any size. */
class ByteReader {
  private readonly source: AsyncIterator<Uint8Array>;
  private rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  async exactly(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const part = await this.part(count - filled);
      bytes.set(part, filled);
      filled += part.length;
    }
    return bytes;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.part(left)).length;
  }

  take(count: number): AsyncIterable<Uint8Array> & { drain(): Promise<void> } {
    let left = count;
    const next = async () => {
      const part = await this.part(left);
      left -= part.length;
      return part;
    };
    return {
      async *[Symbol.asyncIterator]() {
        while (left > 0) yield await next();
      },
      drain: async () => {
        while (left > 0) await next();
      },
    };
  }

  async drain(): Promise<void> {
    this.rest = new Uint8Array();
    while (!(await this.source.next()).done);
  }

  async close(): Promise<void> {
    await this.source.return?.();
  }

  private async part(atMost: number): Promise<Uint8Array> {
    while (this.rest.length === 0) {
      const next = await this.source.next();
      if (next.done) throw hostile("an end in the middle of an entry");
      this.rest = next.value;
    }
    const part = this.rest.subarray(0, atMost);
    this.rest = this.rest.subarray(part.length);
    return part;
  }
}

function sizeOf(header: Uint8Array, pax: ReadonlyMap<string, string>): number {
  const text = pax.get("size");
  const isPaxHeader = header[156] === 0x78;
  if (text !== undefined && !isPaxHeader) {
    if (!/^\d{1,15}$/.test(text)) throw hostile(`a size of ${JSON.stringify(text)}`);
    return Number(text);
  }
  const field = header.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    // GNU base-256, which tar writers use above 8 GiB.
    const value = field.reduce(
      (sum, byte, index) => sum * 256n + BigInt(index === 0 ? byte & 0x7f : byte),
      0n,
    );
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw hostile("a size above 2^53");
    return Number(value);
  }
  return octal(field, "size");
}

function requireChecksum(header: Uint8Array): void {
  const expected = octal(header.subarray(148, 156), "checksum");
  const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (sum !== expected) throw hostile("a header whose checksum is wrong");
}

function octal(field: Uint8Array, what: string): number {
  const text = String.fromCharCode(...field)
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (!/^[0-7]{1,12}$/.test(text)) throw hostile(`a ${what} of ${JSON.stringify(text)}`);
  return Number.parseInt(text, 8);
}

function pathOf(header: Uint8Array): string {
  const name = cString(header.subarray(0, 100));
  const isUstar = cString(header.subarray(257, 263)).startsWith("ustar");
  const prefix = isUstar ? cString(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

function cString(field: Uint8Array): string {
  const end = field.indexOf(0);
  return decode(end < 0 ? field : field.subarray(0, end));
}

/** Records `<length> <key>=<value>\n`; lengths count bytes. */
function parsePax(bytes: Uint8Array): ReadonlyMap<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = space < 0 ? Number.NaN : Number(decode(bytes.subarray(at, space)));
    const isRecord =
      Number.isInteger(length) &&
      length > space - at &&
      at + length <= bytes.length &&
      bytes[at + length - 1] === 0x0a;
    if (!isRecord) throw hostile("a pax record that is not one");
    const record = decode(bytes.subarray(space + 1, at + length - 1));
    const equals = record.indexOf("=");
    if (equals <= 0) throw hostile("a pax record without a key");
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at += length;
  }
  return records;
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw hostile("a name that is not UTF-8");
  }
}

const padding = (size: number) => (BLOCK - (size % BLOCK)) % BLOCK;

function hostile(found: string): DekuperError {
  return new DekuperError("ATTESTATION_INVALID", `The delivery's tar holds ${found}.`);
}
