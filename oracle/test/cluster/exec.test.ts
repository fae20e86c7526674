import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { exec, execText } from "../../src/cluster/exec.ts";
import { readSentTar } from "../../src/cluster/output-tar.ts";
import { type ExecSession, startFakeApiServer, target } from "./fake-api-server.ts";

const signal = () => AbortSignal.timeout(10_000);

/** Runs a command against a server that answers like this. */
async function run(serve: (session: ExecSession) => void, options: { maxBytes?: number } = {}) {
  const server = await startFakeApiServer(serve);
  try {
    const end = await execText(server.api, target, ["sh", "-c", "x"], { signal: signal(), ...options });
    return { ...end, stdout: Buffer.from(end.stdout).toString() };
  } finally {
    await server.stop();
  }
}

describe("a command in a container", () => {
  it("is asked for by pod, container and arguments, and gives its output and exit code", async () => {
    let asked: URL | undefined;
    const end = await run((session) => {
      asked = session.url;
      session.stdout("hel");
      session.stderr("warning\n");
      session.stdout("lo");
      session.end(0);
    });
    assert.deepEqual(end, { exitCode: 0, stderr: "warning\n", stdout: "hello" });
    assert.equal(asked?.pathname, "/api/v1/namespaces/dkp-1/pods/run-0/exec");
    assert.deepEqual(asked?.searchParams.getAll("command"), ["sh", "-c", "x"]);
    assert.equal(asked?.searchParams.get("container"), "helper");
    assert.equal(asked?.searchParams.get("stdin"), "false");
  });

  it("tells the command's exit code from a failure to run it", async () => {
    assert.equal((await run((session) => session.end(3))).exitCode, 3);
    const status = { status: "Failure", reason: "InternalError", code: 500, message: "no such container" };
    await assert.rejects(
      run((session) => session.end(status)),
      /no such container/,
    );
  });

  it("is a failure when the stream ends without a status, or with one that is none", async () => {
    await assert.rejects(
      run(({ socket, stdout }) => {
        stdout("half");
        socket.close();
      }),
      /without a status/,
    );
    await assert.rejects(
      run((session) => session.end("not json")),
      /JSON/,
    );
  });

  it("is what the API server says when it refuses", async () => {
    const body = JSON.stringify({ message: "pods is forbidden", reason: "Forbidden", code: 403 });
    const server = await startFakeApiServer(() => undefined, { code: 403, body });
    try {
      await assert.rejects(execText(server.api, target, ["x"], { signal: signal() }), {
        name: "ApiError",
        status: 403,
        reason: "Forbidden",
        message: "pods is forbidden",
      });
    } finally {
      await server.stop();
    }
  });

  it("is bounded where it is read into memory", async () => {
    await assert.rejects(
      run(
        (session) => {
          session.stdout("x".repeat(2000));
          session.end(0);
        },
        { maxBytes: 1000 },
      ),
      /more than 1000 bytes/,
    );
  });

  it("gets its stdin, whole and closed", async () => {
    const got: Buffer[] = [];
    const server = await startFakeApiServer(({ socket, end }) => {
      socket.on("message", (data: Buffer) => {
        if (data[0] === 0) got.push(data.subarray(1));
        else if (data[0] === 255 && data[1] === 0) end(0);
      });
    });
    async function* stdin() {
      yield Buffer.alloc(200_000, "a");
      yield Buffer.from("end");
    }
    try {
      const { exitCode } = await execText(server.api, target, ["x"], { stdin: stdin(), signal: signal() });
      assert.equal(exitCode, 0);
      assert.equal(Buffer.concat(got).toString(), `${"a".repeat(200_000)}end`);
    } finally {
      await server.stop();
    }
  });

  it("ends at once when nobody wants it any more", async () => {
    const closed = Promise.withResolvers<void>();
    const server = await startFakeApiServer(({ socket }) => {
      socket.once("close", () => closed.resolve());
    });
    const stop = new AbortController();
    try {
      const running = execText(server.api, target, ["sleep"], { signal: stop.signal });
      setTimeout(() => stop.abort(new Error("enough")), 50);
      await assert.rejects(running, /enough/);
      await closed.promise;
    } finally {
      await server.stop();
    }
  });

  it("makes a sender wait for a slow reader instead of holding its bytes", async () => {
    const MIB = 2 ** 20;
    let session: ExecSession | undefined;
    const server = await startFakeApiServer((opened) => {
      session = opened;
      for (let index = 0; index < 32; index++) opened.stdout(Buffer.alloc(MIB));
      opened.end(0);
    });
    try {
      const reading = exec(server.api, target, ["x"], { signal: signal() });
      await reading.next();
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.ok((session?.socket.bufferedAmount ?? 0) > 8 * MIB, "most of it waits at the sender");
      let size = MIB;
      for (;;) {
        const next = await reading.next();
        if (next.done) break;
        size += next.value.length;
      }
      assert.equal(size, 32 * MIB);
    } finally {
      await server.stop();
    }
  });
});

describe("an output's tar", () => {
  const tar = Buffer.alloc(3000, "t");
  const digest = createHash("sha256").update(tar).digest("hex");

  async function read(trailer: string, exitCode = 0): Promise<number> {
    const server = await startFakeApiServer((session) => {
      session.stdout(tar.subarray(0, 1000));
      session.stdout(tar.subarray(1000));
      session.stderr(`tar: a: Permission denied\n\n${trailer}\n`);
      session.end(exitCode);
    });
    try {
      let size = 0;
      for await (const part of readSentTar(server.api, target, "the script", signal())) size += part.length;
      return size;
    } finally {
      await server.stop();
    }
  }

  it("ends well when bytes, digest and exit status agree; what tar could not read is the task's loss", async () => {
    assert.equal(await read(`dekuper/1 trailer 3000 ${digest} 0`), 3000);
    assert.equal(await read(`dekuper/1 trailer 3000 ${digest} 1`), 3000);
  });

  const wrong: [what: string, trailer: string, exitCode?: number][] = [
    ["another length", `dekuper/1 trailer 2999 ${digest} 0`],
    ["another digest", `dekuper/1 trailer 3000 ${"0".repeat(64)} 0`],
    ["no trailer", "done"],
    ["a trailer of another version", `dekuper/2 trailer 3000 ${digest} 0`],
    ["an exit status", `dekuper/1 trailer 3000 ${digest} 0`, 3],
  ];
  for (const [what, trailer, exitCode] of wrong)
    it(`is OUTPUT_UNREADABLE after the last byte with ${what}`, async () => {
      await assert.rejects(read(trailer, exitCode), { code: "OUTPUT_UNREADABLE", retryable: true });
    });
});
