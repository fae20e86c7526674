import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { loadConfig } from "@dekuper/oracle";
import { freePort } from "../../../client/test/chain.ts";
import type { MarketFixture } from "../market-fixture.ts";
import { expectError } from "./expect-error.ts";

const RATE = ["--cpu-rate", "0.05", "--multiaddr", "/dns4/node.example/tcp/4001"];
const SIZE = ["--cpus", "4", "--memory", "8Gi", "--storage", "10Gi"];

/** A second node from nothing to its end, as docs/running-a-node.md goes. */
export function nodeSetUp(get: () => MarketFixture): void {
  const folder = () => join(get().stateDir, "second");
  const config = () => join(folder(), "oracle.yaml");
  let address = "";

  describe("node init", () => {
    it("makes a key, a password and a configuration that only their owner can read", async () => {
      const { stdout, code } = await get().run(["node", "init", "--dir", "second"]);
      assert.equal(code, 0);
      address = /^node +(0x\w{40})$/m.exec(stdout)?.[1] ?? "";
      assert.ok(stdout.includes(`next: dekuper node doctor --config ${config()}\n`), stdout);
      assert.ok(stdout.includes(`      dekuper node register --config ${config()} --cpu-rate 0.05 `), stdout);
      for (const name of ["operator.json", "password", "oracle.yaml"]) {
        assert.equal((await stat(join(folder(), name))).mode & 0o077, 0, name);
      }
    });

    it("writes a configuration that the oracle takes, with every setting explained", async () => {
      const { chain } = get();
      const loaded = loadConfig(config(), {});
      assert.equal(loaded.keystore, join(folder(), "operator.json"));
      assert.equal(loaded.passwordFile, join(folder(), "password"));
      assert.equal(loaded.helperImage, chain.network.images.busybox);
      const text = await readFile(config(), "utf8");
      assert.match(text, /^# Port of the same; 0: any free one\.\n# httpPort: 9464$/m);
    });

    it("never overwrites a key", async () => {
      await expectError(get(), ["node", "init", "--dir", folder()], {
        code: "PATH_INVALID",
        message: /operator\.json exists already; a key is never overwritten/,
        hint: /--dir/,
      });
    });

    it("takes a helper image by digest only", async () => {
      await expectError(
        get(),
        ["node", "init", "--dir", join(get().stateDir, "third"), "--helper-image", "busybox"],
        {
          code: "IMAGE_INVALID",
          message: /"busybox": expected host\/name@sha256/,
        },
      );
    });
  });

  describe("node doctor", () => {
    it("needs to know the cluster", async () => {
      await expectError(get(), ["node", "doctor"], {
        code: "USAGE",
        message: /No cluster is named/,
        hint: /--kubeconfig FILE/,
      });
    });

    it("names a kubeconfig that cannot be read", async () => {
      await expectError(get(), ["node", "doctor", "--kubeconfig", "/nonexistent"], {
        code: "CONFIG_INVALID",
        message: /kubeconfig \/nonexistent cannot be read/,
      });
    });

    it("is CLUSTER_UNREACHABLE where no API server answers", async () => {
      const server = `https://127.0.0.1:${await freePort()}`;
      const kubeconfig = await get().write(
        "kubeconfig",
        JSON.stringify({
          apiVersion: "v1",
          kind: "Config",
          "current-context": "a",
          contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
          clusters: [{ name: "a", cluster: { server } }],
          users: [{ name: "a", user: {} }],
        }),
      );
      await expectError(get(), ["node", "doctor", "--kubeconfig", kubeconfig], {
        code: "CLUSTER_UNREACHABLE",
        message: /ECONNREFUSED/,
      });
    });
  });

  describe("node register", () => {
    it("asks by name for what it cannot measure", async () => {
      await expectError(get(), ["node", "register", "--config", config(), ...RATE], {
        code: "USAGE",
        message: /--cpus: got nothing, expected a value, or --config FILE with a kubeconfig/,
      });
      await expectError(get(), ["node", "register"], {
        code: "USAGE",
        message: /Neither --config nor --operator-key/,
      });
      await expectError(get(), ["node", "register", "--config", config(), ...SIZE], {
        code: "USAGE",
        message: /--cpu-rate or --gpu-rate: got nothing/,
      });
    });

    it("puts the node on the map with the stake that is needed", async () => {
      const { run, node } = get();
      const { stdout, code, stderr } = await run([
        "node",
        "register",
        "--config",
        config(),
        ...RATE,
        ...SIZE,
      ]);
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`^node +${address}$`, "m"));
      assert.match(stdout, new RegExp(`^owner +${node.owner}$`, "m"));
      assert.match(stdout, /^offers +4 vCPUs, 8Gi, container isolation$/m);
      assert.match(stdout, /^stake +100 dUSD of 100 dUSD needed$/m);
      assert.ok(stdout.includes(`next: dekuper oracle run --config ${config()}\n`), stdout);
    });

    it("happens once for each operator's key", async () => {
      await expectError(get(), ["node", "register", "--config", config(), ...RATE, ...SIZE], {
        code: "WRONG_STATE",
        message: /is registered already/,
        hint: /`dekuper node status`/,
      });
    });

    it("makes an owner of two nodes say which one is meant", async () => {
      await expectError(get(), ["node", "drain"], { code: "USAGE", message: /owns 2 nodes: .*0x/ });
    });
  });

  describe("oracle run", () => {
    it("names a setting that it does not know", async () => {
      const path = await get().write("wrong.yaml", `${await readFile(config(), "utf8")}\nhttpprot: 1\n`);
      await expectError(get(), ["oracle", "run", "--config", path], {
        code: "CONFIG_INVALID",
        message: /wrong\.yaml: httpprot: .*no such key/,
        hint: /`dekuper oracle run --help`/,
      });
    });

    it("names a configuration that is not there", async () => {
      await expectError(get(), ["oracle", "run", "--config", "/nonexistent"], {
        code: "CONFIG_INVALID",
        message: /\/nonexistent cannot be read/,
      });
    });
  });

  describe("node revoke", () => {
    it("asks first, then retires the node for good", async () => {
      await expectError(get(), ["node", "revoke", address], {
        code: "USAGE",
        message: /asks for a confirmation/,
      });
      const { stdout, code } = await get().runHere(["node", "revoke", address, "--yes"]);
      assert.equal(code, 0);
      assert.match(stdout, /is retired: nothing that its key signs counts any more\.$/m);
      await expectError(get(), ["node", "resume", address], {
        code: "WRONG_STATE",
        message: /the node is Retired/,
      });
    });
  });
}
