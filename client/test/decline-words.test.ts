import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { type Decline, type DeclineKind, declineWords, failureWords } from "@dekuper/client";

const amount = (value: bigint) => `${value} dUSD`;
const words = (kind: DeclineKind, reason: string, values: Decline["values"] = {}) =>
  declineWords({ kind, reason, values }, amount);
const refused = (reason: string, values: Decline["values"] = {}) => words("refused", reason, values);

describe("why a node does not quote, in words", () => {
  it("is a sentence for each kind", () => {
    assert.equal(words("not-active", "Draining"), "it finishes what it has and takes nothing new");
    assert.equal(words("not-active", "Retired"), "it has left the market");
    assert.equal(words("offline", "no connection"), "it cannot be reached");
    assert.equal(words("timed-out", "no answer in time"), "it did not answer in time");
    assert.equal(
      words("rate-above-cap", "rate-above-cap", { asks: "30", cap: "20" }),
      "it asks 30 dUSD an hour, and at most 20 dUSD is offered",
    );
    assert.equal(words("rate-above-cap", "rate-above-cap"), "it asks more than is offered");
    assert.equal(words("invalid-answer", "no JSON"), "its answer cannot be read");
    assert.equal(
      words("invalid-quote", "other-rate"),
      "what it signed is not what was asked for (other-rate)",
    );
  });

  it("names what decided, in people's units", () => {
    assert.equal(
      refused("no-free-capacity", { what: "gpus", needs: "8", free: "1" }),
      "it has 1 GPU free, and the task wants 8 GPUs",
    );
    assert.equal(
      refused("no-free-capacity", { what: "memoryMiB", needs: "65536", free: "512" }),
      "it has 512Mi of memory free, and the task wants 64Gi of memory",
    );
    assert.equal(
      refused("stake-too-low", { what: "stake", needs: "10", free: "3" }),
      "it would have to lock 10 dUSD of its stake, and 3 dUSD is not locked",
    );
    assert.equal(refused("stake-too-low"), "its stake is too low");
    assert.equal(
      refused("storage-too-small", { needs: "2048", has: "100" }),
      "it has 100Mi of storage, and the task wants 2Gi",
    );
    assert.equal(
      refused("other-gpu-model", { needs: "H100", has: "" }),
      "it has no GPU, and the task wants H100",
    );
    assert.equal(
      refused("isolation-too-weak", { needs: "sandbox", has: "container" }),
      "it keeps tasks apart by container, and the task wants sandbox",
    );
  });

  it("is what the node says where it is not known, whatever the node writes", () => {
    assert.equal(refused("The node has too many requests."), "The node has too many requests");
    assert.equal(refused("moon-phase", { moon: "full" }), "it gives as its reason: moon-phase, moon full");
    assert.equal(refused("constructor"), "it gives as its reason: constructor");
    assert.equal(
      refused("no-free-capacity", { what: "toString", needs: "x", free: "-1" }),
      "it has too little free",
    );
    assert.equal(
      words("rate-above-cap", "rate-above-cap", { asks: "-1", cap: "1e9" }),
      "it asks more than is offered",
    );
  });

  it("covers every reason of the oracle's planner and image check", async () => {
    const sources = ["plan/quote.ts", "plan/fit.ts", "daemon/image-checker.ts", "daemon/quote-desk.ts"];
    const texts = await Promise.all(
      sources.map((path) => readFile(new URL(`../../oracle/src/${path}`, import.meta.url), "utf8")),
    );
    const found = texts.flatMap((text) => [
      ...text.matchAll(/(?:refuse|refused|unfit|bound)\(\s*"([a-z0-9-]+)"/g),
      ...text.matchAll(/return (?:node\.\S+ \S+ \S+ \S+ \S+ )?"([a-z0-9]+-[a-z0-9-]+|stopping)"/g),
      ...text.matchAll(/\? "([a-z-]+)" : undefined/g),
      ...text.matchAll(/undefined : "([a-z-]+)"/g),
    ]);
    const reasons = new Set(found.map(([, reason = ""]) => reason));
    for (const some of ["closed", "image-too-large", "no-free-capacity", "inputs-too-large", "not-active"])
      assert.ok(reasons.has(some), `${some} is looked for`);
    assert.ok(reasons.size > 24, `${reasons.size} found`);
    for (const reason of reasons)
      assert.doesNotMatch(reason === "rate-above-cap" ? "" : refused(reason), /gives as its reason/, reason);
  });
});

describe("why a node gave a lease up, in words", () => {
  it("is a sentence for each reason of the oracle's planner", async () => {
    const text = await readFile(new URL("../../oracle/src/plan/plan.ts", import.meta.url), "utf8");
    const union = /export type FailReason =([^;]+);/.exec(text)?.[1] ?? "";
    const reasons = [...union.matchAll(/"(\w+)"/g)].map(([, reason = ""]) => reason);
    assert.ok(reasons.length >= 5);
    for (const reason of reasons) assert.doesNotMatch(failureWords(reason), /gives as its reason/, reason);
  });

  it("says what was wrong with what a node was sent, for every reason of the oracle's", async () => {
    const text = await readFile(new URL("../../oracle/src/daemon/material.ts", import.meta.url), "utf8");
    const reasons = [...text.matchAll(/kind: "invalid", reason: ["`]([\w-]+)/g)].map(([, name = ""]) => name);
    assert.ok(reasons.includes("key-wrap-invalid") && reasons.includes("input-differs"));
    for (const reason of reasons) {
      const whole = reason.endsWith("-") ? `${reason}image` : reason;
      assert.doesNotMatch(failureWords(`Unfit:${whole}`), /does not suit it/, whole);
    }
    assert.equal(
      failureWords("Unfit:key-wrap-invalid"),
      "the task's key, as it was handed over, does not open with this node's encryption key",
    );
    assert.equal(failureWords("Unfit:spec-differs-in-maxDura"), "the spec is not what was ordered: maxDura");
  });

  it("names what does not suit, though the chain holds only the beginning", () => {
    assert.equal(failureWords("Unfit:image-not-found"), "the registry does not have this image");
    assert.equal(
      failureWords("Unfit:image-not-for-linux-amd6"),
      "the image is not made for its machines (linux/amd64)",
    );
    assert.equal(failureWords("Unfit:moon-phase"), "the task does not suit it: moon-phase");
    assert.equal(failureWords("Tired"), "it gives as its reason: Tired");
    assert.equal(failureWords(""), "it gave no reason");
  });
});
