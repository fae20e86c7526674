import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { freePort } from "../../../client/test/chain.ts";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

const show = ["account", "show"];

/** A network that is not there, or not the one that its file names. */
export function badNetworks(get: () => MarketFixture): void {
  const changed = async (name: string, change: object) => {
    const { chain, write } = get();
    const path = await write(name, JSON.stringify({ ...chain.network, ...change }));
    return ["--network", path];
  };

  describe("a network", () => {
    it("is NETWORK_UNKNOWN where none is given and none runs", async () => {
      const { error } = (
        await get().run([...show, "--json"], { env: { DEKUPER_STATE: "/nonexistent" } })
      ).json<{ error: { code: string; hint: string } }>();
      assert.equal(error.code, "NETWORK_UNKNOWN");
      assert.match(error.hint, /`dekuper up`.*--network FILE/);
    });

    it("is NETWORK_UNKNOWN by a name that nobody has saved, whose path it says", async () => {
      await expectError(get(), [...show, "--network", "base"], {
        code: "NETWORK_UNKNOWN",
        message: /There is no network base \(.*networks\/base\.json/,
      });
    });

    it("is CONFIG_INVALID as a file that is not JSON", async () => {
      const path = await get().write("broken.json", "{");
      await expectError(get(), [...show, "--network", path], {
        code: "CONFIG_INVALID",
        message: /is not JSON/,
      });
    });

    it("is CONFIG_INVALID with the key that is wrong", async () => {
      await expectError(get(), [...show, ...(await changed("keyless.json", { rpcUrls: [] }))], {
        code: "CONFIG_INVALID",
        message: /keyless\.json: rpcUrls:/,
      });
    });

    it("is RPC_UNAVAILABLE where nothing answers", async () => {
      const rpcUrls = [`http://127.0.0.1:${await freePort()}`];
      await expectError(get(), [...show, ...(await changed("silent.json", { rpcUrls }))], {
        code: "RPC_UNAVAILABLE",
        message: new RegExp(`No answer from ${rpcUrls[0]}`),
      });
    });

    it("is NETWORK_MISMATCH where the RPC serves another chain", async () => {
      const deployment = { ...get().chain.network.deployment, chainId: 1 };
      await expectError(get(), [...show, ...(await changed("other-chain.json", { deployment }))], {
        code: "NETWORK_MISMATCH",
        message: /serves chain 31337; network test is chain 1/,
      });
    });

    it("is CONTRACT_MISSING where an address holds no contract", async () => {
      const deployment = { ...get().chain.network.deployment, taskRegistry: `0x${"11".repeat(20)}` };
      await expectError(get(), [...show, ...(await changed("no-contract.json", { deployment }))], {
        code: "CONTRACT_MISSING",
        message: /no contract at 0x1{40} \(taskRegistry\)/,
      });
    });

    it("is CHAIN_CHANGED where the chain has another history", async () => {
      const deployment = { ...get().chain.network.deployment, deploymentBlockHash: `0x${"22".repeat(32)}` };
      await expectError(get(), [...show, ...(await changed("other-history.json", { deployment }))], {
        code: "CHAIN_CHANGED",
        message: /was deployed in 0x(22){32}/,
        hint: /`dekuper down`, then `dekuper up`/,
      });
    });
  });

  describe("a key", () => {
    it("is needed outside the local network", async () => {
      const network = await changed("remote.json", { local: false });
      await expectError(get(), [...show, ...network], {
        code: "USAGE",
        message: /No key/,
        hint: /--key-file/,
      });
    });

    it("of the local network is not taken elsewhere", async () => {
      const network = await changed("remote.json", { local: false });
      await expectError(get(), [...show, ...network, "--as", "consumer"], {
        code: "USAGE",
        message: /--as works on the local network only/,
      });
    });

    it("by an unknown name is USAGE with the names there are", async () => {
      await expectError(get(), [...show, "--as", "nobody"], {
        code: "USAGE",
        message: /no account nobody; it has consumer, deployer, provider1, operator1/,
      });
    });

    it("that is no key is KEYSTORE_INVALID and is never printed", async () => {
      const almost = get().consumer.key.slice(0, -1);
      const path = await get().write("bad-key", almost);
      const error = await expectError(get(), [...show, "--key-file", path], {
        code: "KEYSTORE_INVALID",
        message: /holds no private key/,
      });
      assert.ok(!JSON.stringify(error).includes(almost.slice(2, 20)));
    });

    it("may come from the environment", async () => {
      const { consumer, runHere } = get();
      const network = await changed("remote.json", { local: false });
      const shown = await runHere([...show, ...network, "--json"], {
        env: { DEKUPER_PRIVATE_KEY: consumer.key },
      });
      assert.equal(shown.json().address, consumer.address);
    });
  });
}
