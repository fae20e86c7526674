import { formatAmount, formatMiB, formatSeconds } from "@dekuper/protocol";
import { formatUnits } from "viem";

export { formatAmount, formatMiB, formatSeconds };

/** `0x1234abcd…`: enough to be told apart, and taken back by every command as a prefix. */
export function shortId(id: string): string {
  return `${id.slice(0, 10)}…`;
}

/** `0x1234…abcd`. */
export function shortAddress(address: string): string {
  return `${address.slice(0, 6)}…${address.slice(-4)}`;
}

/** Unix seconds -> `2026-01-31 12:00:00Z`; `-` for never. */
export function formatTime(seconds: bigint | number): string {
  const value = Number(seconds);
  if (value === 0) return "-";
  return new Date(value * 1000)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

/** Wei -> `9.9876 ETH`, four digits after the point. */
export function formatGasCoin(wei: bigint): string {
  const [whole = "0", fraction = ""] = formatUnits(wei, 18).split(".");
  const shown = fraction.slice(0, 4).replace(/0+$/, "");
  return `${whole}${shown === "" ? "" : `.${shown}`} ETH`;
}

/** `123,456`. */
export function formatCount(count: bigint | number): string {
  return count.toLocaleString("en-US");
}

export function formatBytes(bytes: bigint | number): string {
  const value = Number(bytes);
  for (const [unit, size] of [
    ["GiB", 1024 ** 3],
    ["MiB", 1024 ** 2],
    ["KiB", 1024],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${value} B`;
}

/** `1 lease`, `2 leases`. */
export function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? "" : "s"}`;
}

/** `1x NVIDIA-H100, 8 vCPUs, 64Gi`. */
export function formatResources(need: {
  gpus: number;
  gpuModel?: string;
  vCpus: number;
  memoryMiB: bigint | number;
}): string {
  const gpus =
    need.gpus === 0 ? [] : [need.gpuModel ? `${need.gpus}x ${need.gpuModel}` : plural(need.gpus, "GPU")];
  return [...gpus, plural(need.vCpus, "vCPU"), formatMiB(need.memoryMiB)].join(", ");
}
