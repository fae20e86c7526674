import type { Fact } from "../../ui/facts.tsx";

/** Most bytes that are shown inline. */
const MAX_SHOWN_BYTES = 64 * 1024;

/** The content as text (JSON indented), or undefined if it is large or not text. */
export function textOf(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_SHOWN_BYTES || bytes.includes(0)) return undefined;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return indented(text);
  } catch {
    return undefined;
  }
}

function indented(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** The named figures of a `metrics.json`: a flat object of numbers and short texts. */
export function figuresIn(path: string, text: string | undefined): readonly Fact[] | undefined {
  if (text === undefined || !/(^|\/)metrics\.json$/.test(path)) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    const isFlat = entries.every(([, each]) => typeof each === "number" || typeof each === "string");
    return isFlat && entries.length > 0 && entries.length <= 24
      ? entries.map(([name, each]) => [name, String(each)])
      : undefined;
  } catch {
    return undefined;
  }
}

/** Saves bytes as a file of the person's computer. The name loses its folders. */
export function saveAs(path: string, bytes: Uint8Array): void {
  const url = URL.createObjectURL(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  const link = document.createElement("a");
  link.href = url;
  link.download = path.split("/").at(-1) ?? "output";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
