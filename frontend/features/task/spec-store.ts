import type { PreparedTask } from "@dekuper/client";
import { decodeSpec, type TaskSpec } from "@dekuper/protocol";
import type { Hex } from "viem";

const specSlot = (digest: Hex) => `dekuper.spec.${digest}`;
const nameSlot = (digest: Hex) => `dekuper.name.${digest}`;

/**
 * Keeps what is known of a submitted task in this browser: its name, and the spec of a public one. A private task's spec rests
 * sealed at its nodes only.
 */
export function keepTask({ spec, specBytes, specDigest }: PreparedTask): void {
  try {
    localStorage.setItem(nameSlot(specDigest), spec.name);
    if (spec.public) localStorage.setItem(specSlot(specDigest), new TextDecoder().decode(specBytes));
  } catch {
    // Storage is full or blocked: the nodes have the spec too.
  }
}

/** What this browser's user has called a task. */
export function keptName(digest: Hex): string | undefined {
  return read(nameSlot(digest)) ?? keptSpec(digest)?.name;
}

/** A spec kept by this browser, checked against the digest on chain. */
export function keptSpec(digest: Hex): TaskSpec | undefined {
  const text = read(specSlot(digest));
  if (text === undefined) return undefined;
  try {
    return decodeSpec(new TextEncoder().encode(text), digest);
  } catch {
    return undefined;
  }
}

function read(slot: string): string | undefined {
  try {
    return localStorage.getItem(slot) ?? undefined;
  } catch {
    return undefined;
  }
}
