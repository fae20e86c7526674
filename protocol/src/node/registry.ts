import { createHash } from "node:crypto";
import { lookup as dnsLookup } from "node:dns";
import { request } from "node:https";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { z } from "zod";
import { DekuperError, isDekuperError } from "../errors.ts";
import { parseImage } from "../image.ts";

/** Largest manifest or token answer, bytes. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 15_000;
const MAX_REDIRECTS = 3;
/** Manifest lists first: a digest of one names the image on every architecture. */
const ACCEPT = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** An answer of a registry, bounded. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}
export type RegistryFetch = (
  url: URL,
  headers: Record<string, string>,
  method: "GET" | "HEAD",
  signal?: AbortSignal,
) => Promise<RegistryAnswer>;

/**
 * Resolves `host/name:tag` to `host/name@sha256:...` by the registry's manifest API (OCI distribution spec 1.1, "Pulling
 * manifests") with an anonymous token where it asks for one. A reference by digest is returned as it is.
 */
export async function resolveImage(reference: string, fetch: RegistryFetch = fetchPublic): Promise<string> {
  if (reference.includes("@")) {
    parseImage(reference);
    return reference;
  }
  const { host, name, tag } = parseTag(reference);
  const answer = await ask(manifestUrl(host, name, tag), "HEAD", reference, fetch);
  const digest = header(answer, "docker-content-digest");
  if (answer.status === 200 && digest !== undefined && /^sha256:[0-9a-f]{64}$/.test(digest)) {
    return `${host}/${name}@${digest}`;
  }
  if (isRefusal(answer.status)) {
    throw new DekuperError(
      "IMAGE_NOT_FOUND",
      `${host} knows no public image ${name}:${tag} (HTTP ${answer.status}).`,
      {
        details: { image: reference, status: answer.status },
      },
    );
  }
  throw new DekuperError(
    "IMAGE_NOT_FOUND",
    `${host} gave no digest for ${name}:${tag} (HTTP ${answer.status}).`,
    {
      details: { image: reference, status: answer.status },
      hint: "Write the image by digest, or try again.",
    },
  );
}

/** What a registry says of an image by digest. `bytes`: what a node downloads of it, config and layers as they are stored. */
export type RegistryImage =
  | { readonly kind: "found"; readonly bytes: number }
  /** None that anyone may pull. */
  | { readonly kind: "missing" }
  | { readonly kind: "other-platform" };

const descriptor = z.object({
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  size: z.int().min(0),
  platform: z.object({ os: z.string(), architecture: z.string() }).optional(),
});
const manifestSchema = z.union([
  z.object({ manifests: z.array(descriptor) }),
  z.object({ config: descriptor, layers: z.array(descriptor) }),
]);
type Manifest = z.infer<typeof manifestSchema>;

/**
 * Asks the registry of an image by digest whether it exists and how large it is. Of an index, linux/amd64 counts. Throws a
 * retryable `IMAGE_NOT_FOUND` where the registry cannot be asked or gives no answer that can be read.
 */
export async function findImage(
  reference: string,
  signal?: AbortSignal,
  fetch: RegistryFetch = fetchPublic,
): Promise<RegistryImage> {
  const { host, name, digest } = parseImage(reference);
  const path = host === "docker.io" && !name.includes("/") ? `library/${name}` : name;
  let wanted = digest;
  for (const isIndexAllowed of [true, false]) {
    const found = await readManifest(manifestUrl(host, path, wanted), wanted, reference, fetch, signal);
    if (found === undefined) return { kind: "missing" };
    if ("layers" in found)
      return { kind: "found", bytes: found.layers.reduce((sum, { size }) => sum + size, found.config.size) };
    const amd64 = found.manifests.find(
      ({ platform }) => platform?.os === "linux" && platform.architecture === "amd64",
    );
    if (amd64 === undefined || !isIndexAllowed) break;
    wanted = amd64.digest;
  }
  return { kind: "other-platform" };
}

/** Undefined: there is none that anyone may pull. */
async function readManifest(
  url: URL,
  digest: string,
  reference: string,
  fetch: RegistryFetch,
  signal: AbortSignal | undefined,
): Promise<Manifest | undefined> {
  let answer: RegistryAnswer;
  try {
    answer = await ask(url, "GET", reference, fetch, signal);
  } catch (error) {
    if (isDekuperError(error, "IMAGE_NOT_FOUND") && !error.retryable) return undefined;
    throw error;
  }
  if (isRefusal(answer.status)) return undefined;
  if (answer.status !== 200) throw unreachable(url, `HTTP ${answer.status}`);
  // A registry, or whoever stands between, cannot name another size than the image's.
  if (`sha256:${createHash("sha256").update(answer.body).digest("hex")}` !== digest)
    throw unreachable(url, "its manifest has another digest");
  try {
    return manifestSchema.parse(JSON.parse(answer.body));
  } catch (cause) {
    throw unreachable(url, "its manifest cannot be read", cause);
  }
}

function manifestUrl(host: string, name: string, tagOrDigest: string): URL {
  const server = host === "docker.io" ? "registry-1.docker.io" : host;
  return new URL(`https://${server}/v2/${name}/manifests/${tagOrDigest}`);
}

/** Asks for a manifest, with an anonymous token where the registry wants one. */
async function ask(
  url: URL,
  method: "GET" | "HEAD",
  reference: string,
  fetch: RegistryFetch,
  signal?: AbortSignal,
): Promise<RegistryAnswer> {
  const answer = await fetch(url, { accept: ACCEPT }, method, signal);
  if (answer.status !== 401) return answer;
  const authorization = await anonymousToken(answer, fetch, reference, signal);
  return fetch(url, { accept: ACCEPT, authorization }, method, signal);
}

/** `host/name[:tag]`; Docker's short names are spelled out, since a node takes full ones only. */
function parseTag(reference: string): { host: string; name: string; tag: string } {
  const match =
    /^(?:([a-z0-9.-]+\.[a-z0-9-]+(?::\d{1,5})?)\/)?([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([\w][\w.-]{0,127}))?$/.exec(
      reference,
    );
  const [, host = "docker.io", name, tag = "latest"] = match ?? [];
  if (name === undefined) {
    throw new DekuperError(
      "IMAGE_INVALID",
      `image: got ${JSON.stringify(reference)}, expected host/name:tag or host/name@sha256:<64 hex>.`,
      {
        details: { got: reference },
      },
    );
  }
  return { host, name: host === "docker.io" && !name.includes("/") ? `library/${name}` : name, tag };
}

/** Docker's token authentication: `WWW-Authenticate: Bearer realm="...",service="...",scope="..."`. */
async function anonymousToken(
  refused: RegistryAnswer,
  fetch: RegistryFetch,
  reference: string,
  signal?: AbortSignal,
): Promise<string> {
  const challenge = header(refused, "www-authenticate") ?? "";
  const fields = new Map(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, value]) => [key, value ?? ""]),
  );
  const realm = fields.get("realm");
  const fail = (why: string, retryable = false) =>
    new DekuperError("IMAGE_NOT_FOUND", `The registry of ${reference} asks for a login: ${why}.`, {
      details: { image: reference },
      hint: "Only public images can be ordered by tag; write private ones by digest.",
      retryable,
    });
  if (!/^Bearer /i.test(challenge) || realm === undefined || !URL.canParse(realm))
    throw fail("no anonymous token");
  const url = new URL(realm);
  for (const key of ["service", "scope"]) {
    const value = fields.get(key);
    if (value) url.searchParams.set(key, value);
  }
  const answer = await fetch(url, { accept: "application/json" }, "GET", signal);
  try {
    const { token, access_token: access } = JSON.parse(answer.body) as {
      token?: string;
      access_token?: string;
    };
    const value = token ?? access;
    if (answer.status === 200 && typeof value === "string") return `Bearer ${value}`;
  } catch {
    throw fail("its token answer is not JSON", true);
  }
  throw fail(`HTTP ${answer.status}`, !isRefusal(answer.status));
}

/** HTTPS to public addresses only: the name is resolved once and the checked address is the one that is dialled. */
export function fetchPublic(
  url: URL,
  headers: Record<string, string>,
  method: "GET" | "HEAD",
  signal?: AbortSignal,
): Promise<RegistryAnswer> {
  return follow(url, headers, method, signal, 0);
}

async function follow(
  url: URL,
  headers: Record<string, string>,
  method: "GET" | "HEAD",
  signal: AbortSignal | undefined,
  redirects: number,
): Promise<RegistryAnswer> {
  if (url.protocol !== "https:") throw unreachable(url, "only https is used");
  if (isIP(url.hostname.replace(/^\[|\]$/g, "")) !== 0)
    throw unreachable(url, "address literals are refused");
  const answer = await fetchOnce(url, headers, method, signal);
  const location = header(answer, "location");
  if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
  if (redirects >= MAX_REDIRECTS) throw unreachable(url, "too many redirects");
  const next = new URL(location, url);
  const { authorization: _, ...rest } = headers; // a token is for the host that asked for it
  return follow(next, next.host === url.host ? headers : rest, method, signal, redirects + 1);
}

function fetchOnce(
  url: URL,
  headers: Record<string, string>,
  method: "GET" | "HEAD",
  signal?: AbortSignal,
): Promise<RegistryAnswer> {
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const { promise, resolve, reject } = Promise.withResolvers<RegistryAnswer>();
  const fail = (cause: Error) =>
    reject(cause instanceof DekuperError ? cause : unreachable(url, cause.message, cause));
  const call = request(
    url,
    {
      method,
      headers,
      lookup: lookupPublic,
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      agent: false,
    },
    (answer) => {
      const parts: Buffer[] = [];
      let size = 0;
      answer.on("data", (part: Buffer) => {
        size += part.length;
        if (size > MAX_ANSWER_BYTES) answer.destroy(new Error(`more than ${MAX_ANSWER_BYTES} bytes`));
        parts.push(part);
      });
      answer.on("error", fail);
      answer.on("end", () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts).toString("utf8"),
        }),
      );
    },
  );
  call.on("error", fail);
  call.end();
  return promise;
}

/** Refuses a name if any of its addresses is not public. */
const lookupPublic: LookupFunction = (hostname, options, callback) => {
  dnsLookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, "", 0);
    const bad = addresses.find(({ address, family }) => !isPublicAddress(address, family));
    if (bad !== undefined)
      return callback(new Error(`${hostname} is at ${bad.address}, not a public address`), "", 0);
    if (options.all) return callback(null, addresses);
    const [first] = addresses;
    callback(null, first?.address ?? "", first?.family);
  });
};

const refused = new BlockList();
// IANA special-purpose address registries (RFC 6890 and its updates).
for (const [net, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const) {
  refused.addSubnet(net, prefix, "ipv4");
}
const publicV6 = new BlockList();
publicV6.addSubnet("2000::", 3, "ipv6");
for (const [net, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
] as const) {
  refused.addSubnet(net, prefix, "ipv6");
}

/** Whether an address may be reached by what a stranger's text names (rule 34). */
export function isPublicAddress(address: string, family: number = isIP(address)): boolean {
  if (family === 4) return !refused.check(address, "ipv4");
  return family === 6 && publicV6.check(address, "ipv6") && !refused.check(address, "ipv6");
}

/** Docker Hub says 401, and others 403, of what does not exist. */
function isRefusal(status: number): boolean {
  return status === 401 || status === 403 || status === 404;
}

function header(answer: RegistryAnswer, name: string): string | undefined {
  const value = answer.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function unreachable(url: URL, why: string, cause?: unknown): DekuperError {
  return new DekuperError("IMAGE_NOT_FOUND", `${url.host} cannot be asked for the image: ${why}.`, {
    details: { host: url.host },
    hint: "Write the image by digest, or check the network.",
    retryable: true,
    cause,
  });
}
