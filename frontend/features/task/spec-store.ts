import { decodeSpec, encodeSpec, type TaskSpec } from "@dekuper/protocol";
import type { Hex } from "viem";

const slot = (digest: Hex) => `dekuper.spec.${digest}`;

/** Keeps a submitted spec in this browser: its salt is needed to check the output, and nodes forget specs in time. */
export function keepSpec(digest: Hex, spec: TaskSpec): void {
  try {
    localStorage.setItem(slot(digest), new TextDecoder().decode(encodeSpec(spec)));
  } catch {
    // Storage is full or blocked: the nodes have the spec too.
  }
}

/** A spec kept by this browser, checked against the digest on chain. */
export function keptSpec(digest: Hex): TaskSpec | undefined {
  try {
    const text = localStorage.getItem(slot(digest));
    return text === null ? undefined : decodeSpec(new TextEncoder().encode(text), digest);
  } catch {
    return undefined;
  }
}
