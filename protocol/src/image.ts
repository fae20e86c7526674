import { DekuperError } from "./errors.ts";

/** An image by digest: `host/name@sha256:...` (rule 34). */
export interface ImageReference {
  readonly host: string;
  readonly name: string;
  /** `sha256:<64 hex>`. */
  readonly digest: string;
}

const HOST =
  "(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+(?::\\d{1,5})?|localhost)";
const NAME = "[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*";
const BY_DIGEST = new RegExp(`^(${HOST})/(${NAME})@(sha256:[0-9a-f]{64})$`);

/** Parses an image by digest; tags, missing hosts and address literals are refused with what was expected. */
export function parseImage(reference: string): ImageReference {
  const match = BY_DIGEST.exec(reference);
  const [, host, name, digest] = match ?? [];
  const invalid = (expected: string) =>
    new DekuperError("IMAGE_INVALID", `Image ${JSON.stringify(reference)}: expected ${expected}.`, {
      details: { got: reference },
    });
  if (host === undefined || name === undefined || digest === undefined)
    throw invalid("host/name@sha256:<64 hex>");
  if (/^\d+(\.\d+){3}(:\d+)?$/.test(host)) throw invalid("a host name, not an address");
  return { host, name, digest };
}

/** Whether the reference is by digest already. */
export function isImageByDigest(reference: string): boolean {
  return BY_DIGEST.test(reference);
}
