import { deriveOutputKey, type OutputKey, type RecipientMemory, type TypedDataSigner } from "@dekuper/client";
import type { Deployment } from "@dekuper/protocol";

/** Keys of this page's life: they are secrets and are never stored. */
const derived = new Map<string, Promise<OutputKey>>();

/** The wallet's output key; asks for signatures once a visit. */
export function outputKeyFor(signer: TypedDataSigner, deployment: Deployment): Promise<OutputKey> {
  const id = `${deployment.chainId}:${deployment.taskRegistry}:${signer.address}`;
  const known = derived.get(id);
  if (known !== undefined) return known;
  const key = deriveOutputKey(signer, deployment, memoryOf(deployment));
  derived.set(id, key);
  key.catch(() => derived.delete(id));
  return key;
}

/** Remembers the public half, so that the next visit needs one signature instead of two. The key depends on chain and registry. */
function memoryOf(deployment: Deployment): RecipientMemory {
  const slot = (consumer: string) =>
    `dekuper.recipient.${deployment.chainId}.${deployment.taskRegistry}.${consumer}`;
  return {
    load: async (consumer) => read(slot(consumer)),
    save: async (consumer, recipient) => write(slot(consumer), recipient),
  };
}

function read(key: string): string | undefined {
  try {
    return localStorage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage is blocked: the next visit signs twice again.
  }
}
