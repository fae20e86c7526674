import {
  DekuperError,
  encodeRelayBatch,
  type ForwardRequest,
  formatAmount,
  isDekuperError,
  type Network,
  type RelayTerms,
  relayAnswerSchema,
  relayTermsSchema,
} from "@dekuper/protocol";
import { type Hex, isAddressEqual } from "viem";
import type { TokenInfo } from "../chain/account.ts";

/** Longest wait for an answer: the relay simulates and sends, it does not wait for the block. */
const TIMEOUT_MS = 30_000;
const MAX_ANSWER_CHARACTERS = 16_384;

/** Somebody who sends a consumer's signed calls and is paid in the payment token (rule 29). */
export interface Relay {
  readonly terms: RelayTerms;
  /** Has a batch sent; `RELAY_REFUSED` says why not. */
  carry(requests: readonly ForwardRequest[]): Promise<Hex>;
}

/** Asks a relay for its terms. `RELAY_REFUSED` where it serves another market, `RELAY_UNAVAILABLE` where nothing answers. */
export async function askRelay(url: string, { deployment }: Network): Promise<RelayTerms> {
  const parsed = relayTermsSchema.safeParse(await call(url, undefined));
  if (!parsed.success) throw unavailable(url, "it answers something else than a relay does");
  const terms = parsed.data;
  if (terms.chainId === deployment.chainId && isAddressEqual(terms.forwarder, deployment.forwarder))
    return terms;
  throw new DekuperError(
    "RELAY_REFUSED",
    `The relay ${url} serves chain ${terms.chainId} with forwarder ${terms.forwarder}, not this market.`,
    { details: { url, chainId: terms.chainId, forwarder: terms.forwarder } },
  );
}

/**
 * A relay that serves this market for at most `maxFee` (base units) a batch; else what `askRelay` throws, or `RELAY_REFUSED`.
 * Where it has changed its terms since, the batch is refused, and the next one pays the new fee, held against `maxFee` as well.
 */
export async function openRelay(from: {
  url: string;
  network: Network;
  token: Pick<TokenInfo, "symbol" | "decimals">;
  maxFee: bigint;
}): Promise<Relay> {
  let terms = await acceptableTerms(from);
  return {
    get terms() {
      return terms;
    },
    carry: async (requests) => {
      try {
        return await relayAt(from.url, terms).carry(requests);
      } catch (error) {
        if (isDekuperError(error) && error.details.code === "fee-missing") {
          terms = await acceptableTerms(from);
          throw new DekuperError(error.code, error.message, { details: error.details, retryable: true });
        }
        throw error;
      }
    },
  };
}

async function acceptableTerms({ url, network, token, maxFee }: Parameters<typeof openRelay>[0]) {
  const terms = await askRelay(url, network);
  if (terms.fee > maxFee) {
    throw new DekuperError(
      "RELAY_REFUSED",
      `The relay asks ${formatAmount(terms.fee, token)} for each transaction, at most ${formatAmount(maxFee, token)} are allowed.`,
      {
        details: { url, fee: terms.fee, maxFee },
        hint: "Allow more with --max-relay-fee, or use another relay.",
      },
    );
  }
  return terms;
}

/** A relay whose terms are known. It refuses where they are not its terms any more. */
export function relayAt(url: string, terms: RelayTerms): Relay {
  return {
    terms,
    carry: async (requests) => {
      const answer = relayAnswerSchema.safeParse(await call(url, encodeRelayBatch(requests)));
      if (!answer.success) throw unavailable(url, "it answers something else than a relay does");
      if ("hash" in answer.data) return answer.data.hash;
      const { code, message } = answer.data.error;
      throw new DekuperError("RELAY_REFUSED", `The relay refuses: ${message}`, { details: { url, code } });
    },
  };
}

async function call(url: string, body: string | undefined): Promise<unknown> {
  let text: string;
  try {
    const response = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      ...(body === undefined ? {} : { body, headers: { "content-type": "application/json" } }),
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (cause) {
    throw unavailable(url, String((cause as Error)?.message ?? cause), cause);
  }
  try {
    if (text.length > MAX_ANSWER_CHARACTERS) throw new Error("too long");
    return JSON.parse(text);
  } catch (cause) {
    throw unavailable(url, "it answers something else than a relay does", cause);
  }
}

function unavailable(url: string, why: string, cause?: unknown): DekuperError {
  return new DekuperError(
    "RELAY_UNAVAILABLE",
    `No answer from the relay ${url}: ${why.replace(/\.$/, "")}.`,
    {
      details: { url },
      cause,
    },
  );
}
