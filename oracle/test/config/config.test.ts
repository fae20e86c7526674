import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { after, before, describe, it } from "node:test";
import { inspect } from "node:util";
import { DekuperError } from "@dekuper/protocol";
import { pino } from "pino";
import { stringify } from "yaml";
import { loadConfig, networkOf, parseConfig } from "../../src/config/load.ts";
import { Secret } from "../../src/config/secret.ts";

const minimal = {
  network: "network.json",
  stateDir: "state",
  keystore: "key.json",
  helperImage: `localhost/busybox@sha256:${"ab".repeat(32)}`,
};
const address = `0x${"11".repeat(20)}`;
const network = {
  name: "test",
  local: true,
  rpcUrls: ["http://127.0.0.1:8545"],
  deployment: {
    chainId: 31337,
    nodeRegistry: address,
    taskRegistry: address,
    paymentEscrow: address,
    liveness: address,
    forwarder: address,
    token: address,
    deploymentBlock: 1,
    deploymentBlockHash: `0x${"22".repeat(32)}`,
  },
  images: {},
};
let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "dekuper-config-"));
});
after(() => rm(folder, { recursive: true, force: true }));

function problemOf(change: object): DekuperError {
  try {
    parseConfig({ ...minimal, ...change }, "oracle.yaml");
  } catch (error) {
    assert.ok(error instanceof DekuperError);
    assert.equal(error.code, "CONFIG_INVALID");
    return error;
  }
  assert.fail("the configuration was taken");
}

async function configFile(content: string): Promise<string> {
  const path = join(folder, "oracle.yaml");
  await writeFile(path, content);
  return path;
}

describe("a configuration", () => {
  it("needs four settings; the rest have defaults", () => {
    const config = parseConfig(minimal);
    assert.equal(config.httpPort, 9_464);
    assert.equal(config.gas.replaceAfter, 30);
    assert.deepEqual(config.imageHosts.slice(0, 2), ["docker.io", "ghcr.io"]);
  });

  const wrong: [change: object, key: string, got: string, expected: RegExp][] = [
    [{ httpPort: "many" }, "httpPort", '"many"', /^number$/],
    [{ httpPort: 70_000 }, "httpPort", "70000", /<=65535/],
    [{ pollInterval: 1 }, "pollInterval", "1", />=50/],
    [{ stateDir: undefined }, "stateDir", "nothing", /^string$/],
    [{ helperImage: "busybox:latest" }, "helperImage", '"busybox:latest"', /host\/name@sha256/],
    [{ rpcUrls: ["http://127.0.0.1", "nowhere"] }, "rpcUrls.1", '"nowhere"', /URL/],
    [{ finality: "soon" }, "finality", '"soon"', /"tag" or number/],
    [{ gas: { dailyCap: "1e18" } }, "gas.dailyCap", '"1e18"', /digits/],
    [{ gas: { replaceAfter: 0 } }, "gas.replaceAfter", "0", />=1/],
    [{ logLevel: "loud" }, "logLevel", '"loud"', /"debug"/],
    [{ adopt: "yes" }, "adopt", '"yes"', /boolean/],
    [{ network: { ...network, rpcUrls: [] } }, "network.rpcUrls", "[]", />=1/],
  ];
  for (const [change, key, got, expected] of wrong)
    it(`names key, what it got and what it takes: ${key} = ${got}`, () => {
      const { message, details } = problemOf(change);
      assert.equal(details.key, key);
      assert.equal(details.got, got);
      assert.match(String(details.expected), expected);
      assert.equal(message, `oracle.yaml: ${key}: got ${got}, expected ${details.expected}.`);
    });

  it("refuses unknown keys by name, also inside a group, and does not repeat what stood there", () => {
    assert.match(problemOf({ pasword: "hunter2" }).message, /^oracle\.yaml: pasword: there is no such key/);
    assert.match(problemOf({ gas: { cap: "hunter2" } }).message, /gas\.cap: there is no such key/);
    assert.doesNotMatch(inspect(problemOf({ pasword: "hunter2" })), /hunter2/);
  });

  it("refuses a file that is no group of settings", async () => {
    for (const content of ["[1, 2]", "just text"])
      assert.throws(() => parseConfig(content), { message: /\(whole file\): got .*, expected object/ });
    await assert.rejects(async () => loadConfig(await configFile("a: [1"), {}), { code: "CONFIG_INVALID" });
    assert.throws(() => loadConfig(join(folder, "none.yaml"), {}), { message: /none\.yaml cannot be read/ });
  });

  it("names what is wrong in a network file", async () => {
    const path = join(folder, "network.json");
    await writeFile(path, JSON.stringify({ ...network, local: "yes" }));
    assert.throws(() => networkOf(parseConfig({ ...minimal, network: path })), {
      message: 'network: local: got "yes", expected boolean.',
    });
    await writeFile(path, "{");
    assert.throws(() => networkOf(parseConfig({ ...minimal, network: path })), { code: "CONFIG_INVALID" });
    await writeFile(path, JSON.stringify(network));
    assert.equal(networkOf(parseConfig({ ...minimal, network: path })).deployment.chainId, 31337);
  });
});

describe("a configuration from file and environment", () => {
  it("takes the environment before the file, and paths from the file's folder", async () => {
    const path = await configFile(stringify({ ...minimal, httpPort: 1, logLevel: "warn" }));
    const config = loadConfig(path, {
      DEKUPER_ORACLE_HTTP_PORT: "9000",
      DEKUPER_ORACLE_LISTEN: '["/ip4/::1"]',
    });
    assert.equal(config.httpPort, 9000);
    assert.equal(config.logLevel, "warn");
    assert.deepEqual(config.listen, ["/ip4/::1"]);
    assert.equal(config.stateDir, join(folder, "state"));
    assert.equal(config.network, join(folder, "network.json"));
  });

  it("takes all of it from the environment where the file is empty", async () => {
    const config = loadConfig(await configFile(""), {
      DEKUPER_ORACLE_NETWORK: JSON.stringify(network),
      DEKUPER_ORACLE_STATE_DIR: "/var/lib/dekuper",
      DEKUPER_ORACLE_KEYSTORE: "/etc/key",
      DEKUPER_ORACLE_HELPER_IMAGE: minimal.helperImage,
    });
    assert.equal(networkOf(config).name, "test");
    assert.equal(config.stateDir, "/var/lib/dekuper");
  });

  it("checks what the environment says as it checks the file", async () => {
    const path = await configFile(stringify(minimal));
    assert.throws(() => loadConfig(path, { DEKUPER_ORACLE_HTTP_PORT: "http" }), {
      message: /httpPort: got "http", expected number/,
    });
    assert.throws(() => loadConfig(path, { DEKUPER_ORACLE_LISTEN: "[a" }), {
      code: "CONFIG_INVALID",
      message: /DEKUPER_ORACLE_LISTEN/,
    });
  });

  it("takes a password as it stands, whatever it would mean in YAML", async () => {
    const path = await configFile(stringify(minimal));
    for (const password of ["12345", "*star", "a: b", "null", " spaced "])
      assert.equal(loadConfig(path, { DEKUPER_ORACLE_PASSWORD: password }).password?.reveal(), password);
  });
});

describe("a secret", () => {
  const leak = "hunter2";
  const isShown = (text: string) => text.includes(leak);

  it("is not shown by logs, JSON, templates or inspection, wherever in an object it stands", () => {
    const lines: string[] = [];
    const out = new Writable({
      write: (chunk, _, done) => {
        lines.push(String(chunk));
        done();
      },
    });
    const config = parseConfig({ ...minimal, password: leak });
    const held = { inner: { password: new Secret(leak) }, list: [new Secret(leak)] };
    pino({}, out).info({ config, held }, "started");
    pino({}, out).error(new Error("failed", { cause: held.inner.password }));
    const texts = [
      ...lines,
      JSON.stringify({ config, held }),
      inspect({ config, held }, { depth: 10, showHidden: true }),
      `${held.inner.password} ${String(held.list[0])}`,
      Object.values(held.inner.password).join(),
    ];
    assert.deepEqual(texts.filter(isShown), []);
    assert.match(lines[0] ?? "", /\[secret\]/);
    assert.equal(config.password?.reveal(), leak);
  });

  it("is not shown by what a wrong configuration says", () => {
    for (const password of [{ text: leak }, [leak]]) {
      const error = problemOf({ password });
      assert.equal(error.details.got, "[secret]");
      assert.ok(!isShown(error.message + JSON.stringify(error) + inspect(error)));
    }
  });
});
