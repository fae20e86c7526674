import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { createNodeClientPeer } from "@dekuper/client/node";
import { type ClientPeer, createClientPeer } from "@dekuper/client/peer";
import { chunkRoot } from "@dekuper/protocol";
import type { Address } from "viem";
import {
  anInput,
  aSpecBlob,
  aToken,
  collect,
  consumer,
  deployment,
  eventually,
  leaseIdOf,
  Registry,
  startTestNode,
  type TestNode,
} from "./market.ts";

const registry = new Registry();
let node: TestNode;

before(async () => {
  node = await startTestNode({ registry });
});
after(() => node.stop());

/** A browser has WebSockets only; the command has TCP too. */
const kinds: [kind: string, create: () => ClientPeer][] = [
  ["a browser's", () => createClientPeer({ deployment, directory: registry })],
  ["the command's", () => createNodeClientPeer({ deployment, directory: registry })],
];

for (const [index, [kind, create]] of kinds.entries())
  describe(`${kind} peer and a node`, () => {
    const client = create();
    const spec = aSpecBlob();
    const lease = {
      leaseId: leaseIdOf(index + 1),
      attempt: 1,
      consumer: consumer.address,
      spec: spec.name.digest,
    };
    const output = randomBytes(2_500_000);
    const name = { kind: "output", digest: chunkRoot(output) } as const;
    before(async () => {
      await client.start();
      node.leases.push({ ...lease, outputRoot: name.digest });
      const writer = await node.blobs.create();
      await writer.write(output);
      await writer.commit(name);
    });
    after(() => client.stop());

    it("agree on puts: spec and inputs arrive, once", async () => {
      const input = anInput(randomBytes(1_500_000));
      for (const blob of [spec, input]) {
        await client.putBlob(node.node, blob.name, blob.bytes);
        assert.deepEqual(await client.hasBlob(node.node, blob.name), { size: blob.bytes.length });
      }
      assert.deepEqual(await collect(node.blobs.read(input.name)), Buffer.from(input.bytes));
    });

    it("agree on tokens: output and spec are the consumer's on another machine too, and nobody else's", async () => {
      const token = await aToken(lease, "output");
      assert.deepEqual(await collect(client.getVerified(node.node, name, { token })), output);
      assert.deepEqual(
        await collect(client.getVerified(node.node, spec.name, { token })),
        Buffer.from(spec.bytes),
      );
      for (const wanted of [name, spec.name])
        await assert.rejects(collect(client.getBlob(node.node, wanted)), { code: "READ_DENIED" });
    });

    it("agree on logs: followed to the end of the run", async () => {
      const { leaseId } = lease;
      const token = await aToken(lease, "logs");
      const request = { leaseId, attempt: 1, offset: 0, follow: true, token };
      await node.logs.append(leaseId, 1, Buffer.from("one\n"));
      const before = node.counts.log_bytes_out ?? 0;
      const whole = collect(client.followLogs(node.node, request));
      await eventually("it is followed", () => (node.counts.log_bytes_out ?? 0) > before);
      await node.logs.append(leaseId, 1, Buffer.from("two\n"));
      await node.logs.end(leaseId, 1);
      assert.equal((await whole).toString(), "one\ntwo\n");
    });

    it("agree on heartbeats: a light subscriber hears the market", async () => {
      const heard = new Set<Address>();
      const off = client.subscribeHeartbeats((heartbeat) => heard.add(heartbeat.node));
      await eventually("the node is heard", async () => {
        await node.beat();
        return heard.has(node.node);
      });
      off();
      assert.deepEqual(client.connectedNodes(), [node.node]);
    });
  });
