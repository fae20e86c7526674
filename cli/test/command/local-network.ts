import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

const NOWHERE = { env: { DEKUPER_STATE: "/nonexistent" } };

/** `up`, `down`, `status` and `demo` where nothing runs; what they do where something does is tested with whole networks. */
export function localNetwork(get: () => MarketFixture): void {
  describe("the local network's commands", () => {
    it("say that nothing runs, and how to start it", async () => {
      const { stdout, code } = await get().run(["status"], NOWHERE);
      assert.equal(code, 0);
      assert.match(stdout, /^Nothing runs\. Start with `dekuper up`\.$/m);
    });

    it("say so as one JSON value", async () => {
      const status = await get().run(["status", "--json"], NOWHERE);
      assert.equal(status.json<{ running: boolean }>().running, false);
      const down = await get().run(["down", "--json"], NOWHERE);
      assert.deepEqual(down.json(), { stopped: false });
      assert.equal(down.code, 0);
    });

    it("refuse half of what an existing chain needs", async () => {
      await expectError(get(), ["up", "--rpc-url", "http://127.0.0.1:1"], {
        code: "USAGE",
        message: /--rpc-url and --deployer-key go together/,
      });
    });

    it("name a kubeconfig that is not there", async () => {
      await expectError(get(), ["up", "--kubeconfig", "/nonexistent"], {
        code: "USAGE",
        message: /--kubeconfig: there is no file \/nonexistent/,
      });
    });

    it("name what is no number of providers and no sample", async () => {
      await expectError(get(), ["up", "--providers", "two"], { code: "USAGE", message: /'two' is invalid/ });
      await expectError(get(), ["demo", "--sample", "nope"], {
        code: "USAGE",
        message: /'nope' is invalid.*train, hello/,
      });
    });
  });
}
