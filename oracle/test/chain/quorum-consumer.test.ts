import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import {
  awardTask,
  decryptDelivery,
  fetchDelivery,
  fetchReplicaKey,
  followTaskLogs,
  memoryCiphertext,
  memorySink,
  planQuotes,
  planTask,
  prepareTask,
  signerOf,
  signReadToken,
} from "@dekuper/client";
import { startNodePeer } from "@dekuper/client/node";
import { DekuperError, parseTaskFile } from "@dekuper/protocol";
import { identityToRecipient } from "age-encryption";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { tarOf } from "../result/hand-made-tar.ts";
import { type Replica, startReplicas } from "./running-quorum.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

const FILE = `
name: answer
public: true
command: [compute]
resources: {cpu: 2, memory: 512Mi, storage: 1Gi, duration: 10m}
verification:
  quorum: {agree: 2, of: 3}
`;

describe("a consumer whose task file asks that two of three results agree", () => {
  it("finds nodes of three owners by their quotes, and gets the result from one that has won", async (t) => {
    const market = await startReplicas(t, chain);
    const { replicas, until, untilStatus, consumer, identity, spec } = market;
    const [first, ...rest] = replicas as [Replica, Replica, Replica];
    for (const [index, { cluster }] of replicas.entries()) {
      cluster.output = await tarOf([{ name: "answer", content: index === 0 ? "41" : "42" }]);
      cluster.log = new TextEncoder().encode("computing\n");
    }
    const { wallet } = consumer.market;
    assert.ok(wallet);
    const signer = signerOf(wallet);
    const key = { identity, recipient: await identityToRecipient(identity) };
    const token = await consumer.market.token();
    const task = prepareTask({
      file: parseTaskFile(FILE),
      network: chain.network,
      token,
      inputs: [],
      recipient: key.recipient,
      image: spec.image,
    });
    const peer = await startNodePeer(consumer.market);
    t.after(() => peer.stop());

    const [nodes, terms, head] = await Promise.all([
      consumer.market.nodes(),
      consumer.market.terms(),
      consumer.market.head(),
    ]);
    const byPosted = planTask(task.planOrder, nodes, { token, terms, now: head.timestamp });
    const cap = byPosted.cap ?? 0n;
    const ask = () => planQuotes({ market: consumer.market, peer, task, cap, consumer: consumer.address });
    let plan = await ask();
    await until("all quote", async () => {
      if (plan.placements.length === 0) plan = await ask(); // nodes on a busy machine may be too slow once
      return plan.placements.length > 0;
    });
    assert.deepEqual(
      plan.placements.map(({ members }) => members.length),
      [1, 1, 1],
    );
    assert.equal(new Set(plan.placements.map(({ owner }) => owner)).size, 3);
    const { taskId, leaseIds } = await awardTask({ market: consumer.market, peer, task, cap, plan });

    await untilStatus(leaseIds, "Running");
    await until("all run", () => replicas.every(({ cluster }) => cluster.running > 0));
    const log = followTaskLogs({
      market: consumer.market,
      peer,
      signer,
      id: leaseIds[0] ?? "0x",
      follow: false,
    });
    await assert.rejects(log.next(), (error) => {
      assert.ok(error instanceof DekuperError);
      assert.equal(error.code, "READ_DENIED");
      assert.match(error.message, /once its result has won/);
      return true;
    });

    await market.pass(60);
    for (const { cluster } of replicas) cluster.exit(60);
    const found = async () => (await consumer.market.task(taskId)).leases;
    await until("two have won", async () => {
      const states = (await found()).map(({ state }) => state);
      return states.filter((state) => state === "Completed").length === 2;
    });
    const withheld = (await found()).find(({ state }) => state === "Failed");
    assert.equal(withheld?.node, first.provider.node);
    const store = memoryCiphertext();
    const fetch = (id: typeof taskId) => {
      const sink = memorySink();
      const { market } = consumer;
      const delivery = fetchDelivery({ market, peer, signer, key, id, store, sink });
      return delivery.then((facts) => ({ facts, sink }));
    };
    await assert.rejects(fetch(withheld?.leaseId ?? "0x"), /not among those that agreed/);
    const lost = (await consumer.market.taskDetail(taskId)).leases.find(({ state }) => state === "Failed");
    assert.ok(lost?.node && lost.attestation);
    const { deployment } = chain.network;
    const refused = fetchReplicaKey({
      peer,
      node: lost.node,
      ciphertextRoot: lost.attestation.attestation.ciphertextRoot,
      token: await signReadToken(signer, deployment, lost, "output"),
      key,
      patienceMs: 0,
    });
    await assert.rejects(refused, { code: "BLOB_NOT_FOUND" });

    const fetching = fetch(taskId);
    let isDone = false;
    const done = fetching.finally(() => {
      isDone = true;
    });
    await until("it is fetched", () => isDone);
    const { facts, sink } = await done;
    assert.equal(new TextDecoder().decode(sink.files.get("answer")), "42");
    assert.equal(new TextDecoder().decode(sink.logBytes()), "computing\n");
    assert.ok(rest.some(({ provider }) => provider.node === facts.node));
    const own = decryptDelivery(store.read(), key);
    await assert.rejects(own.next(), /does not decrypt/, "it was encrypted to a key of the replica's own");
  });
});
