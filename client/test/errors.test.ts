import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Network } from "@dekuper/protocol";
import { createPublicClient, http } from "viem";
import { rpcFailure } from "../src/chain/errors.ts";

const url = "http://127.0.0.1:9/v3/0123456789abcdef?key=fedcba";

describe("an RPC that does not answer", () => {
  it("is named without path and query: they often are its key, and errors are pasted where others read them", async () => {
    const client = createPublicClient({ transport: http(url, { retryCount: 0 }) });
    const cause: unknown = await client.getBlockNumber().then(
      () => assert.fail("something answers on port 9"),
      (error: unknown) => error,
    );
    const network = { rpcUrls: [url, "https://key@rpc.example/secret"] } as unknown as Network;
    const error = rpcFailure(cause, network);
    assert.match(error.message, /^No answer from http:\/\/127\.0\.0\.1:9, https:\/\/rpc\.example: /);
    assert.doesNotMatch(JSON.stringify(error), /0123456789abcdef|fedcba|secret|key@/);
  });
});
