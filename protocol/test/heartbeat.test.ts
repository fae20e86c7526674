import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Address,
  decodeHeartbeat,
  encodeHeartbeat,
  type Heartbeat,
  heartbeatProblem,
} from "../src/index.ts";

const registry: Address = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const node: Address = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";
const heartbeat: Heartbeat = {
  version: 1,
  chainId: 31337,
  registry,
  node,
  instanceId: "ab".repeat(16),
  seq: 5,
  blockNumber: 100,
  blockHash: `0x${"01".repeat(32)}`,
  issuedAt: 1_700_000_000_000,
  freeGpus: 8,
  leases: 0,
};
const receiver = { chainId: 31337, registry, nowMs: heartbeat.issuedAt, sender: node };

describe("a heartbeat", () => {
  it("is read back", () => assert.deepEqual(decodeHeartbeat(encodeHeartbeat(heartbeat)), heartbeat));

  it("is refused when it is too large, no JSON, or has an unknown field", () => {
    for (const bytes of [
      new Uint8Array(2000),
      Uint8Array.of(255),
      encodeHeartbeat({ ...heartbeat, x: 1 } as Heartbeat),
    ]) {
      assert.throws(() => decodeHeartbeat(bytes), { code: "MESSAGE_INVALID" });
    }
  });

  it("counts once, from its own node, in its own market, in time", () => {
    const problem = (change: Partial<Heartbeat>, by: object = {}) =>
      heartbeatProblem({ ...heartbeat, ...change }, { ...receiver, ...by });
    assert.equal(problem({}), undefined);
    assert.equal(problem({ chainId: 1 }), "other-market");
    assert.equal(problem({}, { sender: registry }), "other-sender");
    assert.equal(problem({ issuedAt: heartbeat.issuedAt - 31_000 }), "skew");
    assert.equal(problem({}, { last: heartbeat }), "old-seq");
    assert.equal(problem({ seq: 6 }, { last: heartbeat }), undefined);
    assert.equal(problem({ seq: 6, blockNumber: 10 }, { last: heartbeat }), "old-block");
    assert.equal(problem({ instanceId: "cd".repeat(16), seq: 0 }, { last: heartbeat }), "old-seq");
  });
});
