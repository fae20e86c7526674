import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { endingWithUs, runCommand } from "../src/command.ts";
import { KubernetesError } from "../src/errors.ts";

describe("a command that ends with us", () => {
  it("runs with its arguments as they are", async () => {
    const args = ["%s|", "a b", "$HOME", '"'];
    assert.equal(await runCommand("printf", args, { endsWithUs: true }), 'a b|$HOME|"|');
  });

  it("fails as it would by itself", async () => {
    await assert.rejects(
      runCommand("sh", ["-c", "exit 3"], { endsWithUs: true }),
      (error: KubernetesError) => error instanceof KubernetesError && error.details.exitCode === 3,
    );
  });

  it("does not start where whoever wanted it is gone: the signal of its death would never come", async () => {
    const orphaned = endingWithUs(["echo", "started"]);
    assert.equal(await runCommand("sh", ["-c", '"$@"; echo refused', "sh", ...orphaned]), "refused\n");
  });
});
