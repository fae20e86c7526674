import assert from "node:assert/strict";
import { catalogue, type ErrorCode } from "@dekuper/protocol";
import type { MarketFixture } from "../market-fixture.ts";
import type { RunOptions } from "../run-command.ts";

/** What `--json` prints of an error. */
export interface PrintedError {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly details: Readonly<Record<string, unknown>>;
    readonly hint: string;
    readonly retryable: boolean;
  };
}

/**
 * Runs a command line that must fail, both ways: for people a sentence, a hint and the code on stderr and nothing on
 * stdout; for programs one JSON value on stdout and nothing on stderr. Returns the error as the second shows it.
 */
export async function expectError(
  market: Pick<MarketFixture, "runHere">,
  args: readonly string[],
  expected: { code: ErrorCode; message: RegExp; hint?: RegExp; exitCode?: number },
  options: RunOptions = {},
): Promise<PrintedError["error"]> {
  const people = await market.runHere(args, options);
  const programs = await market.runHere([...args, "--json"], options);
  const exitCode = expected.exitCode ?? (expected.code === "USAGE" ? 2 : 1);
  const { error } = programs.json<PrintedError>();
  assert.equal(error.code, expected.code, programs.stdout);
  assert.match(error.message, expected.message);
  assert.equal(error.retryable, catalogue[expected.code].retryable);
  assert.match(error.hint, expected.hint ?? /\w/);
  assert.equal(programs.stderr, "");
  assert.equal(programs.code, exitCode);

  assert.equal(people.code, exitCode, people.stderr);
  assert.match(people.stderr, /^error: /m);
  assert.ok(people.stderr.includes(`hint:  ${error.hint}`), people.stderr);
  assert.ok(people.stderr.trimEnd().endsWith(error.code), people.stderr);
  assert.ok(!people.stderr.includes("    at "), "a stack is not for people");
  return error;
}
