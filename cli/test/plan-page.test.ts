import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { whoReads } from "../src/plan-page.ts";

type Reading = Parameters<typeof whoReads>[0];
const node = (digit: string) => `0x${digit.repeat(40)}` as const;

/** Of a plan, what says who reads the task. */
function reading(isPublic: boolean, chosen: readonly string[] = [], others: readonly string[] = []): Reading {
  const offers = [...chosen, ...others].map((address) => ({ node: address }));
  const quoted = { placements: chosen.map((address) => ({ node: address })), offers: { offers } };
  return { task: { spec: { public: isPublic } }, quoted } as unknown as Reading;
}

describe("who can read a task's spec and inputs", () => {
  it("is every registered node where it is public", () => {
    assert.match(whoReads(reading(true, [node("a")])), /^Public: every registered node can read/);
  });

  it("is the chosen nodes and two on standby where it is private, by name", () => {
    const words = whoReads(reading(false, [node("a")], [node("b"), node("c"), node("d")]));
    assert.match(
      words,
      /^Private: only nodes that get the task's key can read this spec and its inputs, now 0xaa.*, and 0xbb.*, 0xcc.* on standby\./,
    );
    assert.ok(!words.includes("0xdd"));
    assert.match(
      words,
      /Every node that is asked for a quote sees the resources, the image's name and how large the inputs are\./,
    );
    assert.match(words, /sees everything in the clear\.$/);
  });

  it("is nobody so far where no node offers", () => {
    assert.match(whoReads(reading(false)), /can read this spec and its inputs\. Every node/);
    assert.match(
      whoReads({ ...reading(false), quoted: undefined }),
      /can read this spec and its inputs\. Every node/,
    );
  });
});
