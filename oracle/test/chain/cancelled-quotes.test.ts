import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import { createMarket, quoteNonceAfter, walletClientOf } from "@dekuper/client";
import { leaseId as leaseIdOf, type SignedQuote, taskRegistryAbi } from "@dekuper/protocol";
import { privateKeyToAccount } from "viem/accounts";
import { startNodePeer } from "../../../client/src/node/market-peer.ts";
import { startTestChain, type TestChain } from "../../../client/test/chain.ts";
import { orderOf } from "../daemon/builders.ts";
import { startOracle } from "./running-oracle.ts";

let chain: TestChain;
before(async () => {
  chain = await startTestChain();
});
after(() => chain?.stop());

describe("a daemon whose operator cancels all quotes", () => {
  it("goes on above them without a restart: the next quote is good, the one before is not (rule 8)", async (t) => {
    const running = await startOracle(t, chain, { isDialled: true });
    const { provider, consumer, spec, client, mine, caughtUp } = running;
    await mine(3);
    await caughtUp();
    const peer = await startNodePeer(consumer.market);
    t.after(() => peer.stop());
    const { timestamp } = await consumer.market.head();
    const order = orderOf(spec, { openUntil: timestamp + 3_000n, ratePerHour: 36_000_000n });
    const envelope = { image: spec.image, inputBytes: 0 };
    const quote = async (): Promise<SignedQuote> => {
      const request = { version: 1 as const, order, consumer: consumer.address, members: [0], envelope };
      const answer = await peer.askQuote(provider.node, request);
      assert.ok("quotes" in answer && answer.quotes[0] !== undefined, inspect(answer));
      return answer.quotes[0];
    };
    const { network } = chain;
    const isVoid = ({ quote: { node, nonce } }: SignedQuote) =>
      client.readContract({
        address: network.deployment.taskRegistry,
        abi: taskRegistryAbi,
        functionName: "isQuoteVoid",
        args: [node, nonce],
      });

    const early = await quote();
    const operator = privateKeyToAccount(provider.operatorKey);
    const market = createMarket({ network, walletClient: walletClientOf(network, operator) });
    const bound = quoteNonceAfter((await market.head()).timestamp);
    await market.cancelQuotes(bound);
    await sleep(1_100); // one look at the chain serves the requests of a second
    const late = await quote();
    assert.ok(late.quote.nonce >= bound, `${late.quote.nonce} is below ${bound}`);
    assert.deepEqual([await isVoid(early), await isVoid(late)], [true, false]);
    await assert.rejects(consumer.market.createAndAward(order, [early], []), /QuoteVoid|cancelled|used/i);
    const { taskId } = await consumer.market.createAndAward(order, [late], []);
    assert.equal((await running.lease(leaseIdOf(taskId, 0))).node, provider.node);
  });
});
