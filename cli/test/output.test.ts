import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import type { DoctorReport } from "@dekuper/oracle";
import { DekuperError } from "@dekuper/protocol";
import { printReport } from "../src/commands/node/doctor.ts";
import { type Invocation, invocationOf, quoted } from "../src/invocation.ts";
import { exitCodeOf, printError, toDekuperError } from "../src/output/errors.ts";
import {
  formatBytes,
  formatCount,
  formatGasCoin,
  formatResources,
  formatTime,
  plural,
  shortAddress,
  shortId,
} from "../src/output/format.ts";
import { toJson } from "../src/output/json.ts";
import { createProgress } from "../src/output/progress.ts";
import { printFields, printTable, widthOf } from "../src/output/table.ts";
import { type Streams, Terminal } from "../src/output/terminal.ts";

/** A terminal whose output is kept. */
function recorded(json = false, invocation?: Invocation) {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const streams = { stdout, stderr, stdin: new PassThrough() } as unknown as Streams;
  return {
    out: new Terminal(streams, json, invocation),
    printed: () => String(stdout.read() ?? ""),
    noted: () => String(stderr.read() ?? ""),
  };
}

describe("a table", () => {
  it("is as wide as its widest cells, numbers to the right, without blanks at the end", () => {
    const { out, printed } = recorded();
    printTable(
      out,
      [{ title: "NAME" }, { title: "COST", right: true }, { title: "" }],
      [
        ["a", "1", ""],
        ["longer", "1000", "x"],
      ],
    );
    assert.equal(printed(), "NAME    COST\na          1\nlonger  1000  x\n");
  });

  it("counts characters as seen, not the colours around them", () => {
    assert.equal(widthOf("\u001b[32myes\u001b[39m"), 3);
    assert.equal(widthOf("0x12…cd"), 7);
  });

  it("of fields leaves out what is not known", () => {
    const { out, printed } = recorded();
    printFields(out, [
      ["task", "x"],
      ["node", undefined],
      ["status", "Open"],
    ]);
    assert.equal(printed(), "task    x\nstatus  Open\n");
  });
});

describe("a value for people", () => {
  it("reads as it is written elsewhere", () => {
    assert.equal(formatTime(0n), "-");
    assert.equal(formatTime(1_800_000_000), "2027-01-15 08:00:00Z");
    assert.equal(formatGasCoin(9_999_360_000_000_000_000n), "9.9993 ETH");
    assert.equal(formatGasCoin(10n ** 19n), "10 ETH");
    assert.equal(formatCount(1_234_567n), "1,234,567");
    assert.equal(formatBytes(1023), "1023 B");
    assert.equal(formatBytes(1536), "1.5 KiB");
    assert.equal(formatBytes(3n * 1024n ** 3n), "3.0 GiB");
    assert.equal(plural(1, "lease"), "1 lease");
    assert.equal(plural(0, "lease"), "0 leases");
    assert.equal(shortId(`0x12345678${"9".repeat(56)}`), "0x12345678…");
    assert.equal(shortAddress(`0x1234${"0".repeat(32)}abcd`), "0x1234…abcd");
    const need = { vCpus: 8, memoryMiB: 65_536n };
    assert.equal(
      formatResources({ ...need, gpus: 2, gpuModel: "NVIDIA-H100" }),
      "2x NVIDIA-H100, 8 vCPUs, 64Gi",
    );
    assert.equal(formatResources({ ...need, gpus: 1 }), "1 GPU, 8 vCPUs, 64Gi");
    assert.equal(formatResources({ ...need, gpus: 0 }), "8 vCPUs, 64Gi");
  });
});

describe("a value for programs", () => {
  it("keeps every digit of an amount, as a string", () => {
    assert.deepEqual(JSON.parse(toJson({ amount: 2n ** 80n, by: new Map([["a", 1n]]) })), {
      amount: "1208925819614629174706176",
      by: { a: "1" },
    });
  });
});

describe("an error", () => {
  const error = new DekuperError("INSUFFICIENT_FUNDS", "Alice has 1 dUSD.", {
    details: { account: "Bob", seen: "Alice", free: 1_000_000n, none: undefined },
    hint: "Run `dekuper account deposit 5`.",
  });

  it("is a sentence, the values that the sentence lacks, a hint and a code", () => {
    const { out, noted, printed } = recorded();
    printError(out, error, false);
    assert.equal(
      noted(),
      [
        "error: Alice has 1 dUSD.",
        "       account  Bob",
        "hint:  Run `dekuper account deposit 5`.",
        "       INSUFFICIENT_FUNDS",
        "",
      ].join("\n"),
    );
    assert.equal(printed(), "");
  });

  it("names commands as they can be typed", () => {
    const { out, noted } = recorded(false, { program: "npx dekuper", options: "" });
    printError(out, error, false);
    assert.match(noted(), /^hint: {2}Run `npx dekuper account deposit 5`\.$/m);
  });

  it("is one JSON value with all its values for programs", () => {
    const { out, noted, printed } = recorded(true);
    printError(out, error, false);
    assert.equal(noted(), "");
    assert.deepEqual(JSON.parse(printed()), {
      error: {
        code: "INSUFFICIENT_FUNDS",
        message: "Alice has 1 dUSD.",
        details: { account: "Bob", seen: "Alice", free: "1000000" },
        hint: "Run `dekuper account deposit 5`.",
        retryable: false,
      },
    });
  });

  it("that nobody foresaw is INTERNAL; a full disk and a failed cluster are told apart", () => {
    assert.equal(toDekuperError(new TypeError("x is not a function")).code, "INTERNAL");
    assert.equal(toDekuperError("thrown text").message, "thrown text");
    const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    assert.equal(toDekuperError(full).code, "DISK_FULL");
    const cluster = Object.assign(new Error("No root."), {
      name: "KubernetesError",
      code: "NOT_LINUX_ROOT",
      details: { uid: 1000, capabilities: ["net"] },
      hint: "Run it as root.",
    });
    const { code, hint, details } = toDekuperError(cluster);
    assert.equal(code, "COMPONENT_FAILED");
    assert.equal(hint, "Run it as root.");
    assert.deepEqual(details, { reason: "NOT_LINUX_ROOT", uid: 1000, capabilities: '["net"]' });
  });

  it("exits with 2 for a command line that is none, else with 1", () => {
    assert.equal(exitCodeOf(new DekuperError("USAGE", "x")), 2);
    assert.equal(exitCodeOf(error), 1);
  });
});

describe("progress", () => {
  it("is a line a step where nothing can be overwritten", () => {
    const { out, noted, printed } = recorded();
    const progress = createProgress(out);
    progress.step("reading");
    progress.update("reading 10 %");
    progress.done();
    progress.step("sending");
    progress.done("sent 3 files");
    progress.clear();
    assert.equal(noted(), "› reading\n› sending\n✓ sent 3 files\n");
    assert.equal(printed(), "");
  });

  it("is silent for programs", () => {
    const { out, noted } = recorded(true);
    const progress = createProgress(out);
    progress.step("reading");
    progress.done("read");
    assert.equal(noted(), "");
  });
});

describe("a suggested command", () => {
  it("is quoted for a shell where it must be", () => {
    assert.equal(quoted("/tmp/a-b_c.yaml"), "/tmp/a-b_c.yaml");
    assert.equal(quoted("it's here"), `'it'\\''s here'`);
  });

  it("is what started this one, with its network and account", () => {
    assert.equal(invocationOf({}, {}).program, "dekuper");
    assert.equal(invocationOf({ npm_command: "exec" }, {}).program, "npx dekuper");
    const npm = { npm_command: "run-script", npm_lifecycle_event: "dekuper" };
    assert.equal(invocationOf(npm, {}).program, "npm run -s dekuper --");
    assert.equal(
      invocationOf({}, { network: "base", as: "provider1" }).options,
      " --network base --as provider1",
    );
  });
});

describe("a doctor's report", () => {
  const report: DoctorReport = {
    checks: [
      { check: "api", ok: true, detail: "the API server answers" },
      {
        check: "network policies",
        ok: false,
        detail: "a pod reached the host",
        hint: "Install a CNI that enforces them.",
      },
    ],
    isolation: "container",
  };

  it("ticks and crosses, says what to do, and suggests nothing while something fails", () => {
    const { out, printed } = recorded();
    printReport(out, report, "dekuper node init");
    assert.equal(
      printed(),
      [
        "✓ api               the API server answers",
        "✗ network policies  a pod reached the host",
        "                    Install a CNI that enforces them.",
        "",
        "The node may claim container isolation.",
        "1 check failed.",
        "",
      ].join("\n"),
    );
  });

  it("says how to go on when all is well", () => {
    const { out, printed } = recorded();
    printReport(out, { ...report, checks: report.checks.slice(0, 1) }, "dekuper node init");
    assert.match(printed(), /^next: dekuper node init$/m);
  });
});
