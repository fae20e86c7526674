import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { encodeManifest } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { AttemptRef, ClusterDriver } from "../../src/cluster/driver.ts";
import { checkpointFiles, packCheckpoint, plainCipher } from "../../src/result/checkpoint.ts";
import { readEntries } from "../../src/result/output-entries.ts";
import { ApiProxy } from "./api-proxy.ts";
import { kubectl } from "./embedded-cluster.ts";
import { anOrder, begin, collect, digestOf, dismiss, openDriver, sh, soon, until } from "./leases.ts";

const inputs: ReadonlyMap<string, Uint8Array> = new Map([
  ["data/train/part 1.bin", randomBytes(20 * 2 ** 20)],
  ["data/train/part-2.bin", randomBytes(4097)],
  ["empty", new Uint8Array()],
  ["übung/ein-sehr-langer-name".padEnd(190, "x"), randomBytes(512)],
  [".hidden/$(touch x)", Buffer.from("not expanded\n")],
]);

function reader(of: ReadonlyMap<string, Uint8Array>): (digest: Hex) => AsyncIterable<Uint8Array> {
  const byDigest = new Map([...of.values()].map((bytes) => [digestOf(bytes), bytes]));
  return async function* (digest) {
    const bytes = byDigest.get(digest) ?? new Uint8Array();
    for (let offset = 0; offset < bytes.length; offset += 300_000)
      yield bytes.subarray(offset, offset + 300_000);
  };
}

/** A run's files by path, and what was left out with why. */
async function readFiles(driver: ClusterDriver, ref: AttemptRef) {
  const files = new Map<string, Buffer>();
  const skipped = new Map<string, string>();
  const limits = { maxEntries: 1000, maxDepth: 20 };
  for await (const entry of readEntries(driver.readOutput(ref, soon()), limits)) {
    if (entry.kind === "file") files.set(entry.path, await collect(entry.bytes));
    else skipped.set(entry.path, entry.reason);
  }
  return { files, skipped };
}

function assertSameFiles(
  got: ReadonlyMap<string, Uint8Array>,
  wanted: ReadonlyMap<string, Uint8Array>,
): void {
  const digests = (of: ReadonlyMap<string, Uint8Array>) =>
    Object.fromEntries([...of].map(([path, bytes]) => [path, digestOf(bytes)]).sort());
  assert.deepEqual(digests(got), digests(wanted));
}

describe("inputs and outputs", { concurrency: 4 }, () => {
  it("arrive byte for byte, after a connection that was cut in the middle too", async () => {
    const proxy = await ApiProxy.open();
    const [driver, cut] = [await openDriver(), await openDriver({ kubeconfig: proxy.kubeconfig })];
    const order = anOrder({ command: sh("cp -r /input/. /output/"), inputs });
    await begin(driver, order, "awaiting-inputs");
    proxy.decide = ({ path }) => (path.endsWith("/exec") ? { upAfter: 7_000_000 } : "pass");
    const broken = cut.sendInputs(order, order.spec, reader(inputs), soon());
    await assert.rejects(broken, { code: "CLUSTER_UNREACHABLE" });
    assert.equal((await until(driver, order, "it is seen", Boolean)).stage, "awaiting-inputs");
    await driver.sendInputs(order, order.spec, reader(inputs), soon());
    const ended = await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    assert.equal(ended.exitCode, 0);
    assertSameFiles((await readFiles(driver, order)).files, inputs);
    await dismiss(order);
  });

  it("do not start a run whose inputs are not what was ordered", async () => {
    const driver = await openDriver();
    const order = anOrder({ command: sh("true"), inputs: new Map([["a", Buffer.from("right")]]) });
    await begin(driver, order, "awaiting-inputs");
    const wrong = async function* () {
      yield Buffer.from("wrong");
    };
    const short = async function* () {
      yield Buffer.from("ri");
    };
    await assert.rejects(driver.sendInputs(order, order.spec, wrong, soon()), { code: "BLOB_CORRUPT" });
    await assert.rejects(driver.sendInputs(order, order.spec, short, soon()));
    assert.equal((await until(driver, order, "it is seen", Boolean)).stage, "awaiting-inputs");
    const right = reader(new Map([["a", Buffer.from("right")]]));
    await driver.sendInputs(order, order.spec, right, soon());
    await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    await dismiss(order);
  });

  it("have arrived when the run goes on, although the connection broke before it said so, and may be sent again", async () => {
    const proxy = await ApiProxy.open();
    const [driver, cut] = [await openDriver(), await openDriver({ kubeconfig: proxy.kubeconfig })];
    const few = new Map([["a", Buffer.from("few bytes")]]);
    const order = anOrder({ command: sh("cat /input/a >/output/a"), inputs: few });
    await begin(driver, order, "awaiting-inputs");
    proxy.decide = ({ path }) => (path.endsWith("/exec") ? "mute" : "pass");
    await cut.sendInputs(order, order.spec, reader(few), soon());
    await driver.sendInputs(order, order.spec, reader(few), soon());
    await until(driver, order, "it has ended", (seen) => seen?.stage === "exited");
    assertSameFiles((await readFiles(driver, order)).files, few);
    await dismiss(order);
  });

  it("are read although the run made entries to harm whoever reads them", async () => {
    const driver = await openDriver();
    const script = `cd /output
      echo good >good; echo dash >-rf; mkdir -p a/b; echo deep >a/b/c
      ln -s /etc/passwd link; ln -s .. up; ln good hard; mkfifo pipe; mkdir empty
      echo newline >'new
line'; echo byte >"$(printf 'latin\\377')"; echo suid >suid; chmod 4755 suid
      echo hidden >closed-file; chmod 000 closed-file
      mkdir closed; echo inside >closed/inside; chmod 000 closed
      p=.; i=0; while [ $i -lt 30 ]; do p=$p/d; mkdir $p; i=$((i+1)); done; echo far >$p/far`;
    const order = anOrder({ command: sh(script) });
    await begin(driver, order, "exited");
    const { files, skipped } = await readFiles(driver, order);
    const wanted = {
      "-rf": "dash",
      "a/b/c": "deep",
      "closed-file": "hidden",
      "closed/inside": "inside",
      suid: "suid",
    };
    for (const [path, text] of Object.entries(wanted))
      assert.equal(files.get(path)?.toString(), `${text}\n`, path);
    // One of the two names of a file is a link to the other; which one, the order of the folder decides.
    assert.equal([files.get("good"), files.get("hard")].filter(Boolean).join(), "good\n");
    assert.equal(skipped.get("link"), "symlink");
    assert.equal(skipped.get("up"), "symlink");
    assert.equal(skipped.get("new\nline"), "bad-name");
    assert.deepEqual(
      [...skipped.values()].sort(),
      [
        "bad-name",
        "bad-name",
        "link",
        "symlink",
        "symlink",
        "too-deep",
        ...(skipped.has("pipe") ? ["fifo"] : []),
      ].sort(),
    );
    assert.equal(files.size, Object.keys(wanted).length + 1);
    await dismiss(order);
  });

  it("are unreadable rather than shorter or other than what the run wrote, and can be read again", async () => {
    const proxy = await ApiProxy.open();
    const [driver, cut] = [await openDriver(), await openDriver({ kubeconfig: proxy.kubeconfig })];
    const order = anOrder({ command: sh("head -c 3000000 /dev/urandom >/output/noise") });
    const { namespace, podName = "" } = await begin(driver, order, "exited");
    for (const fate of [{ downAfter: 1_000 }, { downAfter: 2_000_000 }, { flipAt: 1_500_000 }] as const) {
      proxy.decide = ({ path }) => (path.endsWith("/exec") ? fate : "pass");
      const read = collect(cut.readOutput(order, soon()));
      await assert.rejects(read, { code: "OUTPUT_UNREADABLE" }, JSON.stringify(fate));
    }
    const first = await collect(driver.readOutput(order, soon()));
    assert.ok(first.length > 3_000_000);
    assert.equal(digestOf(await collect(driver.readOutput(order, soon()))), digestOf(first));
    const processes = await kubectl([
      "exec",
      "-n",
      namespace,
      podName,
      "-c",
      "helper",
      "--",
      "ps",
      "-o",
      "stat,comm",
    ]);
    // The dead (Z) are taken away within a second, when the helper's shell looks up.
    assert.doesNotMatch(
      processes,
      /^[^Z\s]\S* +(tar|tee|sha256sum|wc)$/m,
      "broken reads left something running",
    );
    await dismiss(order);
  });

  it("are taken although the answer comes in one piece with the handshake", async () => {
    const proxy = await ApiProxy.open();
    const driver = await openDriver({ kubeconfig: proxy.kubeconfig });
    proxy.decide = ({ path }) => (path.endsWith("/exec") ? "late" : "pass");
    const order = anOrder({ command: sh("echo small >/output/small") });
    await begin(driver, order, "exited");
    for (let again = 0; again < 3; again += 1)
      assert.equal((await readFiles(driver, order)).files.get("small")?.toString(), "small\n");
    await dismiss(order);
  });

  it("include a manifest of the checkpoints while the run goes on", async () => {
    const driver = await openDriver();
    const script = `cd "$CHECKPOINT_DIR"; while [ ! -e /tmp/go ]; do sleep 0.1; done
      mkdir -p step/1; printf weights >step/1/model; printf '' >none; printf x >"it's"; ln -s /etc/passwd link; touch /tmp/done
      sleep 600`;
    const order = anOrder({ command: sh(script) });
    const { namespace, podName = "" } = await begin(driver, order);
    assert.equal((await driver.checkpointManifest(order, soon())).length, 0);
    const wait = "touch /tmp/go; while [ ! -e /tmp/done ]; do sleep 0.1; done";
    await kubectl(["exec", "-n", namespace, podName, "-c", "main", "--", "sh", "-c", wait]);
    const files = { "step/1/model": "weights", none: "", "it's": "x" };
    const entries = Object.entries(files).map(([path, text]) => ({
      path,
      size: text.length,
      digest: digestOf(Buffer.from(text)),
    }));
    const manifest = await driver.checkpointManifest(order, soon());
    assert.equal(Buffer.from(manifest).toString(), Buffer.from(encodeManifest(entries)).toString());
    await dismiss(order);
  });

  it("carry a checkpoint from one attempt's pod into the next one's, while the first still runs", async () => {
    const driver = await openDriver();
    const writes = `mkdir -p "$CHECKPOINT_DIR/step/1" && printf weights >"$CHECKPOINT_DIR/step/1/model" &&
      printf 7 >"$CHECKPOINT_DIR/epoch" && ln -s /etc/passwd "$CHECKPOINT_DIR/link" && touch /tmp/done; sleep 600`;
    const first = anOrder({ command: sh(writes) });
    const { namespace, podName = "" } = await begin(driver, first);
    const wait = "while [ ! -e /tmp/done ]; do sleep 0.1; done";
    await kubectl(["exec", "-n", namespace, podName, "-c", "main", "--", "sh", "-c", wait]);
    const parts: Uint8Array[] = [];
    const packed = await packCheckpoint(
      driver.readCheckpoint(first, soon()),
      { write: async (bytes) => void parts.push(Uint8Array.from(bytes)) },
      { cipher: plainCipher, maxBytes: 1_000_000, signal: soon() },
    );
    const manifest = await driver.checkpointManifest(first, soon());
    assert.equal(packed.manifestDigest, digestOf(manifest), "links are in neither");
    await dismiss(first);

    const blob = Buffer.concat(parts);
    const { files } = await checkpointFiles(async function* () {
      yield blob;
    }, plainCipher);
    const reads = `cp -r "$CHECKPOINT_DIR/." /output/; echo "$ATTEMPT" >/output/attempt; touch "$CHECKPOINT_DIR/mine"`;
    const next = { ...anOrder({ command: sh(reads) }), attempt: 2, resumes: true };
    await begin(driver, next, "awaiting-inputs");
    await driver.sendInputs(next, next.spec, reader(new Map()), soon(), files);
    await until(driver, next, "it has ended", (seen) => seen?.stage === "exited");
    const { files: found } = await readFiles(driver, next);
    assert.deepEqual(Object.fromEntries([...found].map(([path, bytes]) => [path, bytes.toString()])), {
      "step/1/model": "weights",
      epoch: "7",
      attempt: "2\n",
    });
    await dismiss(next);
  });
});
