import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

interface ShownNode {
  readonly address: string;
  readonly status: string;
  readonly online: boolean | null;
  readonly stake: { readonly staked: string; readonly unbonding: string };
}

/** The network map, and an owner's commands for the node that the fixture registered. */
export function node(get: () => MarketFixture): void {
  describe("node status", () => {
    it("maps the nodes, with who is heard", async () => {
      const { node: its, run } = get();
      const { stdout, code } = await run(["node", "status"]);
      assert.equal(code, 0);
      const line = stdout.split("\n").find((text) => text.startsWith(its.node));
      assert.match(
        line ?? "",
        / {2}Active {2}yes +\d vCPUs, \d+(Gi|Mi) +container {2}eu-west +0 dUSD +1 dUSD +200 dUSD$/,
      );
    });

    it("says of one node all that the chain knows", async () => {
      const { node: its, runHere } = get();
      const { stdout } = await runHere(["node", "status", its.node]);
      assert.match(stdout, new RegExp(`^owner +${its.owner}$`, "m"));
      assert.match(stdout, /^online +yes$/m);
      assert.match(stdout, /^declared +8 vCPUs, 16Gi$/m);
      assert.match(stdout, /^stake +200 dUSD of 100 dUSD needed, \d+ dUSD locked$/m);
      assert.match(stdout, /^addresses +\/ip4\/127\.0\.0\.1\/tcp\/\d+$/m);
    });

    it("does not listen with --offline, and says so", async () => {
      const { node: its, runHere } = get();
      const [shown] = (await runHere(["node", "status", "--offline", "--json"])).json<ShownNode[]>();
      assert.equal(shown?.address, its.node);
      assert.equal(shown?.online, null);
    });

    it("is NOT_FOUND for an address that is no node", async () => {
      await expectError(get(), ["node", "status", `0x${"01".repeat(20)}`], {
        code: "NOT_FOUND",
        message: /There is no node 0x(01){20}/,
        hint: /`dekuper node status`/,
      });
    });
  });

  describe("an owner", () => {
    it("drains the node and lets it work again", async () => {
      const { node: its, runHere } = get();
      const drained = await runHere(["node", "drain"]);
      assert.equal(drained.code, 0, drained.stderr);
      assert.match(drained.stdout, /takes no new leases; running ones go on\.$/m);
      assert.ok(drained.stdout.includes(`      dekuper node unstake all ${its.node}\n`), drained.stdout);
      await expectError(get(), ["node", "drain"], {
        code: "WRONG_STATE",
        message: /the node is Draining/,
        hint: /`dekuper node status`/,
      });
      const resumed = await runHere(["node", "resume", its.node, "--json"]);
      assert.equal(resumed.json<{ status: string }>().status, "Active");
    });

    it("adds stake, and takes back what no lease locks", async () => {
      const { runHere } = get();
      const staked = await runHere(["node", "stake", "50"]);
      assert.match(staked.stdout, /has 250 dUSD staked; 100 dUSD are needed\.$/m);
      const unstaked = await runHere(["node", "unstake", "50 dUSD"]);
      assert.match(unstaked.stdout, /^50 dUSD are unbonding, released after \d{4}-\d{2}-\d{2} [\d:]+Z\.$/m);
      assert.match(unstaked.stdout, /^next: dekuper node withdraw 0x\w{40}$/m);
    });

    it("cannot take back more than is free", async () => {
      await expectError(get(), ["node", "unstake", "100000"], {
        code: "WRONG_STATE",
        message: /of the stake are not locked/,
      });
    });

    it("withdraws what the node has earned, and the stake once it is unbonded", async () => {
      const { runHere, chain } = get();
      const earned = await runHere(["node", "withdraw"]);
      assert.match(earned.stdout, /^Withdrew 0\.\d+ dUSD of earnings to 0x\w{40}\.$/m);
      await expectError(get(), ["node", "withdraw"], {
        code: "WRONG_STATE",
        message: /nothing to withdraw yet\. 50 dUSD are unbonding until/,
      });
      await chain.control.increaseTime({ seconds: 8 * 86_400 });
      await chain.control.mine({ blocks: 1 });
      const released = await runHere(["node", "withdraw", "--json"]);
      assert.equal(released.json<{ released: string }>().released, "50000000");
    });

    it("is the only one who may", async () => {
      const { node: its, chain } = get();
      const stranger = await chain.account(0);
      const options = { env: { DEKUPER_PRIVATE_KEY: stranger.key } };
      await expectError(
        get(),
        ["node", "drain", its.node],
        { code: "NOT_ALLOWED", message: /neither owner nor operator/ },
        options,
      );
      await expectError(get(), ["node", "drain"], { code: "NOT_FOUND", message: /owns no node/ }, options);
    });
  });
}
