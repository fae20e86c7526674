import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { imageOf, orderOf, prepareTask } from "@dekuper/client";
import {
  isDekuperError,
  type Network,
  orderProblem,
  parseTaskFile,
  specOrderDifference,
  type TaskFile,
  taskSpecSchema,
} from "@dekuper/protocol";
import { readInputs } from "../src/node/inputs.ts";
import { address } from "./builders.ts";

const busybox = `localhost/dekuper/busybox@sha256:${"ab".repeat(32)}`;
const network: Network = {
  name: "local",
  local: true,
  rpcUrls: ["http://127.0.0.1:8545"],
  deployment: {
    chainId: 31337,
    nodeRegistry: address(1),
    taskRegistry: address(2),
    paymentEscrow: address(3),
    liveness: address(5),
    forwarder: address(6),
    token: address(4),
    deploymentBlock: 1,
    deploymentBlockHash: `0x${"cd".repeat(32)}`,
  },
  images: { busybox },
};
const token = { symbol: "USDC", decimals: 6 };
const recipient = `age1${"q".repeat(58)}`;

function fileOf(text: string): TaskFile {
  return parseTaskFile(text);
}
const hello = `
name: hello
public: true
template: batch
command: echo hello > /output/greeting
resources:
  duration: 10m
`;

function prepare(text: string, on: Network = network) {
  return prepareTask({
    file: fileOf(text),
    network: on,
    token,
    recipient,
    inputs: [],
    salt: `0x${"01".repeat(32)}`,
  });
}

describe("prepareTask", () => {
  it("fills in what the file leaves out", () => {
    const { spec, planOrder, openFor, startWindow } = prepare(hello);
    assert.ok(taskSpecSchema.safeParse(spec).success);
    assert.equal(spec.image, busybox);
    assert.deepEqual(spec.command, ["sh", "-c", "echo hello > /output/greeting"]);
    assert.deepEqual(spec.resources, {
      gpus: 0,
      gpuModel: "",
      vCpus: 1,
      memoryMiB: 1024,
      storageMiB: 2048,
      isolation: "container",
      maxDuration: 600,
    });
    assert.equal(spec.output.maxBytes, 1024 ** 3);
    assert.equal(planOrder.rate, undefined);
    assert.deepEqual([openFor, startWindow], [300, 120]);
    const remote = prepare(hello.replace("template: batch", `image: ghcr.io/a/b@sha256:${"ef".repeat(32)}`), {
      ...network,
      local: false,
    });
    assert.deepEqual([remote.openFor, remote.startWindow], [3600, 900]);
  });

  it("makes an order that equals the spec, open from the chain's time", () => {
    const task = prepare(`${hello}budget: 40 USDC\nrate: 1.5 USDC\nopenFor: 10m\n`);
    const order = orderOf(task, 1_500_000n, 1_000n);
    assert.equal(specOrderDifference(task.spec, order), undefined);
    assert.equal(order.openUntil, 1_600n);
    assert.equal(task.planOrder.budget, 40_000_000n);
    assert.equal(task.planOrder.rate, 1_500_000n);
  });

  it("makes an order of replicas that no other node takes over, where results must agree", () => {
    const task = prepare(`${hello}verification:\n  quorum: {agree: 2, of: 3}\n`);
    const order = orderOf(task, 1_500_000n, 1_000n, "quoted");
    assert.deepEqual([order.leases, order.threshold, order.verification, order.maxAttempts], [3, 2, 1, 1]);
    assert.equal(specOrderDifference(task.spec, order), undefined);
    assert.equal(orderProblem(order), undefined);
  });

  it("salts each task anew", () => {
    const make = () => prepareTask({ file: fileOf(hello), network, token, recipient, inputs: [] }).specDigest;
    assert.notEqual(make(), make());
  });

  it("refuses an amount in another token", () => {
    assert.throws(() => prepare(`${hello}budget: 40 DAI\n`), { code: "UNIT_INVALID" });
  });

  it("refuses an image by tag where nobody can resolve it, and names what the network knows", () => {
    assert.throws(
      () => imageOf(fileOf(hello.replace("template: batch", "image: python:3")), network),
      (error) => {
        assert.ok(isDekuperError(error, "IMAGE_INVALID"));
        assert.match(error.message, /got "python:3".*\(busybox\)/);
        return true;
      },
    );
  });

  it("refuses a local image on another network", () => {
    assert.throws(() => imageOf(fileOf(hello), { ...network, local: false }), { code: "IMAGE_INVALID" });
  });

  it("refuses a task without image or command", () => {
    const bare = "name: x\npublic: true\nresources: { duration: 1m }\n";
    assert.throws(() => prepare(bare), { code: "TASK_FILE_INVALID", message: /image: got nothing/ });
    assert.throws(() => prepare(`${bare}template: batch\n`), {
      code: "TASK_FILE_INVALID",
      message: /command: got nothing/,
    });
  });
});

describe("parseTaskFile", () => {
  const cases: [string, string, RegExp][] = [
    [
      "a wrong memory unit",
      hello.replace("duration: 10m", "duration: 10m\n  memory: 64GB"),
      /task\.yaml:8: resources\.memory: got "64GB", expected memory such as 64Gi/,
    ],
    [
      "a wrong duration",
      hello.replace("10m", "10 minutes"),
      /task\.yaml:7: resources\.duration: got "10 minutes", expected a duration such as 6h/,
    ],
    ["an unknown field", `${hello}gpu: 1\n`, /task\.yaml:8: gpu: got 1, expected no such field/],
    [
      "a bad name",
      hello.replace("hello\n", "Hello World\n"),
      /task\.yaml:2: name: got "Hello World", expected lower-case/,
    ],
    ["broken YAML", "name: [", /task\.yaml:1: \(YAML\)/],
  ];
  for (const [what, text, message] of cases) {
    it(`names line, field, what it got and what it takes: ${what}`, () => {
      assert.throws(() => fileOf(text), { code: "TASK_FILE_INVALID", message });
    });
  }
  it("takes a bare variable's value from who submits, for a private task alone", () => {
    const text = `${hello.replace("public: true\n", "")}env: [WANDB_KEY, "A=1=2"]\n`;
    const from = { file: fileOf(text), network, token, recipient, inputs: [] };
    const { spec } = prepareTask({ ...from, env: { WANDB_KEY: "secret" } });
    assert.deepEqual([spec.public, spec.env.WANDB_KEY, spec.env.A], [false, "secret", "1=2"]);
    for (const env of [undefined, {}, { WANDB_KEY: undefined }])
      assert.throws(() => prepareTask({ ...from, env }), {
        code: "ENV_MISSING",
        message: /env\.WANDB_KEY: got a bare name/,
      });
  });

  it("is private unless it says that it is public, and then ordered by quotes only (rule 11)", () => {
    for (const word of ["", "public: false\n"]) {
      const task = prepare(hello.replace("public: true\n", word));
      assert.equal(task.spec.public, false);
      assert.equal(orderOf(task, 1n, 0n, "quoted").isPrivate, true);
      assert.throws(() => orderOf(task, 1n, 0n, "open"), { code: "PRIVATE_NEEDS_QUOTES" });
    }
    assert.equal(orderOf(prepare(hello), 1n, 0n, "open").isPrivate, false);
  });

  it("refuses reserved variables, and secrets in a public task", () => {
    assert.throws(() => fileOf(`${hello}env: [WANDB_KEY]\n`), { code: "SECRET_IN_PUBLIC_SPEC" });
    assert.throws(() => fileOf(`${hello}env: { MASTER_ADDR: x }\n`), { code: "ENV_RESERVED" });
  });
});

describe("readInputs", () => {
  let folder = "";
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "dekuper-inputs-"));
    await mkdir(join(folder, "data", "deep"), { recursive: true });
    await writeFile(join(folder, "train.py"), "print()");
    await writeFile(join(folder, "data", "b"), "bb");
    await writeFile(join(folder, "data", "deep", "a"), "a");
  });
  after(() => rm(folder, { recursive: true }));

  const read = (inputs: { from: string; to?: string }[]) =>
    readInputs({ ...fileOf(hello), inputs: inputs as TaskFile["inputs"] }, folder);

  it("puts a file under its name and a folder under its, unless `to` says otherwise", async () => {
    const paths = async (inputs: { from: string; to?: string }[]) =>
      (await read(inputs)).map(({ path }) => path);
    assert.deepEqual(await paths([{ from: "train.py" }, { from: "data/" }]), [
      "train.py",
      "data/b",
      "data/deep/a",
    ]);
    assert.deepEqual(await paths([{ from: "./data/deep", to: "set" }]), ["set/a"]);
    assert.deepEqual(await paths([{ from: "data/b", to: "x/y" }]), ["x/y"]);
    assert.deepEqual(await paths([{ from: "." }]), ["data/b", "data/deep/a", "train.py"]);
  });

  it("hashes what it reads, and reads it again from any offset", async () => {
    const [input] = await read([{ from: "train.py" }]);
    assert.equal(input?.digest, "0x525d513313416cf187f44fa87e1753ee6d11552c22097537ddc32b4ed34fa68f");
    const parts: Uint8Array[] = [];
    for await (const part of input?.source.open(5) ?? []) parts.push(part);
    assert.equal(Buffer.concat(parts).toString(), "()");
  });

  it("refuses what is missing, and links inside folders", async () => {
    await assert.rejects(read([{ from: "none" }]), { code: "INPUT_MISSING", message: /none does not exist/ });
    await symlink("/etc/passwd", join(folder, "data", "link"));
    await assert.rejects(read([{ from: "data" }]), { code: "PATH_INVALID", message: /data\/link is a link/ });
  });
});
