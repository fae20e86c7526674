import { formatUnits, parseUnits } from "viem";
import { DekuperError } from "./errors.ts";

const MEMORY_MIB: Readonly<Record<string, number>> = { Mi: 1, Gi: 1024, Ti: 1024 * 1024 };
const BYTES: Readonly<Record<string, number>> = {
  "": 1,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `64Gi` -> MiB. Takes Mi, Gi, Ti; the result is a whole number of MiB. */
export function parseMiB(text: string): number {
  return scaled(text, /^(\d+(?:\.\d+)?)(Mi|Gi|Ti)$/, MEMORY_MIB, "memory such as 512Mi or 64Gi");
}

/** `500Mi` -> bytes. Takes plain bytes, Ki, Mi, Gi, Ti. */
export function parseBytes(text: string): number {
  return scaled(text, /^(\d+(?:\.\d+)?)(|Ki|Mi|Gi|Ti)$/, BYTES, "a size such as 500Mi or 2Gi");
}

/** `90m` or `1h30m` -> seconds. */
export function parseSeconds(text: string): number {
  if (!/^(\d+[smhd])+$/.test(text)) throw unreadable(text, "a duration such as 90s, 30m, 6h or 1h30m");
  const parts = text.match(/\d+[smhd]/g) ?? [];
  const total = parts.reduce(
    (sum, part) => sum + Number(part.slice(0, -1)) * (SECONDS[part.slice(-1)] ?? 0),
    0,
  );
  if (total <= 0 || !Number.isSafeInteger(total)) throw unreadable(text, "a duration above zero");
  return total;
}

/** `8x NVIDIA-H100-80GB-HBM3`, `8x`, `8` or `0` -> count and model (empty: any). */
export function parseGpu(text: string | number): { count: number; model: string } {
  const match = /^(\d{1,4})(?:x(?:\s*([A-Za-z0-9][A-Za-z0-9._-]{0,62}))?)?$/.exec(String(text).trim());
  if (match?.[1] === undefined)
    throw unreadable(String(text), "a GPU count with an optional model such as 8x NVIDIA-H100-80GB-HBM3");
  return { count: Number(match[1]), model: match[2] ?? "" };
}

/** `40 USDC`, `40.25` -> base units of a token with these decimals. The symbol, where given, must be the token's. */
export function parseAmount(text: string | number, token: { symbol: string; decimals: number }): bigint {
  const match = /^(\d+(?:\.\d+)?)(?:\s*([A-Za-z][A-Za-z0-9.]*))?$/.exec(String(text).trim());
  const [, digits, symbol] = match ?? [];
  if (digits === undefined) throw unreadable(String(text), `an amount such as 40 ${token.symbol}`);
  if (symbol !== undefined && symbol.toLowerCase() !== token.symbol.toLowerCase()) {
    throw unreadable(String(text), `an amount in ${token.symbol}, this network's payment token`);
  }
  if ((digits.split(".")[1]?.length ?? 0) > token.decimals) {
    throw unreadable(String(text), `at most ${token.decimals} digits after the point`);
  }
  return parseUnits(digits, token.decimals);
}

/** Base units -> `40.25 USDC`. */
export function formatAmount(amount: bigint, token: { symbol: string; decimals: number }): string {
  return `${formatUnits(amount, token.decimals)} ${token.symbol}`;
}

/** Seconds -> `1h 30m`, the two largest units. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts = (
    [
      ["d", Math.floor(whole / 86_400)],
      ["h", Math.floor((whole % 86_400) / 3600)],
      ["m", Math.floor((whole % 3600) / 60)],
      ["s", whole % 60],
    ] as const
  ).filter(([, count]) => count > 0);
  return parts.length === 0
    ? "0s"
    : parts
        .slice(0, 2)
        .map(([unit, count]) => `${count}${unit}`)
        .join(" ");
}

/** MiB -> `64Gi` where it is whole, else `1536Mi`. */
export function formatMiB(mib: number | bigint): string {
  const count = BigInt(mib);
  return count % 1024n === 0n && count > 0n ? `${count / 1024n}Gi` : `${count}Mi`;
}

function scaled(
  text: string,
  form: RegExp,
  units: Readonly<Record<string, number>>,
  example: string,
): number {
  const match = form.exec(String(text).trim());
  const value = Number(match?.[1]) * (units[match?.[2] ?? ""] ?? Number.NaN);
  if (!Number.isSafeInteger(value)) throw unreadable(String(text), example);
  return value;
}

function unreadable(got: string, expected: string): DekuperError {
  return new DekuperError("UNIT_INVALID", `Got ${JSON.stringify(got)}, expected ${expected}.`, {
    details: { got, expected },
  });
}
