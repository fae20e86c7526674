import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { DekuperError, type LivenessReport } from "@dekuper/protocol";
import { type Address, getAddress, type Hex } from "viem";
import type { ReportSource } from "../../src/peer/peer.ts";
import { eventually, Registry, startTestNode, type TestNode, type TestNodeOptions } from "./market.ts";

const registry = new Registry();
const nodes: TestNode[] = [];
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
  registry.nodes.clear();
});

async function aNode(options: Partial<TestNodeOptions> = {}) {
  const node = await startTestNode({ registry, ...options });
  nodes.push(node);
  return node;
}

const address = (index: number): Address => getAddress(`0x${index.toString(16).padStart(40, "0")}`);
/** As large as a report may be. */
const REPORT: LivenessReport = {
  epoch: 3,
  committeeVersion: 2,
  issuedAt: 1_000,
  offline: Array.from({ length: 40 }, (_, index) => address(index + 1)),
  online: Array.from({ length: 24 }, (_, index) => address(index + 100)),
};
const SIGNATURE: Hex = `0x${"5e".repeat(65)}`;
const signal = () => AbortSignal.timeout(20_000);

describe("a seat that another asks to sign a report", () => {
  it("is given the report and who asks, and its answer arrives as it is", async () => {
    const asked: [LivenessReport, Address][] = [];
    const source: ReportSource = {
      answer: async (report, asker) => {
        asked.push([report, asker]);
        return { offline: report.offline, online: report.online, signature: SIGNATURE };
      },
    };
    const [seat, other] = [await aNode({ reports: source }), await aNode()];
    const answer = await other.peer.askReport(seat.node, REPORT, signal());
    assert.deepEqual(answer, { offline: REPORT.offline, online: REPORT.online, signature: SIGNATURE });
    assert.deepEqual(asked, [[REPORT, other.node]]);
    assert.equal(seat.counts.reports_signed, 1);
  });

  it("answers nobody who is not registered, and says why it does not sign", async () => {
    const source: ReportSource = {
      answer: async () => {
        throw new DekuperError("NOT_ALLOWED", "The report is not signed: the epoch is 4 here, not 3.");
      },
    };
    const seat = await aNode({ reports: source });
    const [other, stranger] = [await aNode(), await aNode({ unregistered: true })];
    await assert.rejects(other.peer.askReport(seat.node, REPORT, signal()), {
      code: "NOT_ALLOWED",
      message: /the epoch is 4 here, not 3/,
    });
    await assert.rejects(stranger.peer.askReport(seat.node, REPORT, signal()), {
      code: "NOT_ALLOWED",
      message: /Only seats/,
    });
  });

  it("refuses a report that the contract would not take, before anything is looked at", async () => {
    let asked = 0;
    const answer = async () => {
      asked++;
      return { offline: [], online: [] };
    };
    const [seat, other] = [await aNode({ reports: { answer } }), await aNode()];
    const wrong: [Partial<LivenessReport>, RegExp][] = [
      [{ offline: [address(2), address(1)] }, /offline: expected strictly ascending/],
      [{ online: [address(1), address(1)] }, /online: expected strictly ascending/],
      [
        { online: Array.from({ length: 25 }, (_, index) => address(index + 100)) },
        /at most 64 nodes together/,
      ],
      [{ epoch: -1 }, /epoch/],
    ];
    for (const [change, message] of wrong)
      await assert.rejects(other.peer.askReport(seat.node, { ...REPORT, ...change }, signal()), {
        code: "MESSAGE_INVALID",
        message,
      });
    assert.equal(asked, 0);
  });

  it("is asked by one seat no more often than its turns come", async () => {
    const limits = { reportBurst: 2, reportsPerSecond: 0.001 };
    const answer = async () => ({ offline: [], online: [] });
    const seat = await aNode({ reports: { answer }, limits });
    const [eager, other] = [await aNode(), await aNode()];
    await eventually("all are connected", () => seat.peer.connectedNodes().length === 2);
    for (let times = 0; times < 2; times++) await eager.peer.askReport(seat.node, REPORT, signal());
    await assert.rejects(eager.peer.askReport(seat.node, REPORT, signal()), { code: "TIMED_OUT" });
    assert.deepEqual(await other.peer.askReport(seat.node, REPORT, signal()), { offline: [], online: [] });
  });
});
