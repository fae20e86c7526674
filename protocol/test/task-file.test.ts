import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DekuperError, environmentOf, parseTaskFile, quorumOf } from "../src/index.ts";

const good = `name: sum
public: true
template: batch
command: echo hi
resources:
  cpu: 1
  memory: 256Mi
  duration: 5m
`;
const TWO_OF_THREE = "{agree: 2, of: 3}";
const AGREE = "verification.quorum.agree";
const quorum = (value: string, more = "") => `${good}verification:\n  quorum: ${value}\n${more}\n`;
const failure = (text: string): DekuperError => {
  try {
    parseTaskFile(text);
  } catch (error) {
    return error as DekuperError;
  }
  throw new Error("the file was taken");
};

describe("task.yaml", () => {
  it("is read", () => {
    assert.equal(parseTaskFile(good).name, "sum");
    assert.deepEqual(environmentOf(parseTaskFile(`${good}env: {A: 1, B: x}\n`)), { A: "1", B: "x" });
    assert.deepEqual(environmentOf(parseTaskFile(`${good}env: [A=1, "B=x=y"]\n`)), { A: "1", B: "x=y" });
  });

  it("asks for so many of so many results that are alike", () => {
    assert.deepEqual(quorumOf(parseTaskFile(quorum(TWO_OF_THREE))), { agree: 2, of: 3 });
    assert.equal(quorumOf(parseTaskFile(`${good}verification: signed\n`)), undefined);
    assert.equal(quorumOf(parseTaskFile(good)), undefined);
    assert.match(
      failure(quorum("{agree: 1, of: 3}")).message,
      /verification.quorum.agree: got 1, expected more than half of 3, and at most 3$/,
    );
    assert.match(
      failure(`${good}verification: proof\n`).message,
      /expected signed, or quorum: {agree: 2, of: 3}$/,
    );
  });

  it("says what a number of nodes may be", () => {
    assert.equal(
      failure(`${good}nodes: 65\n`).message,
      "task.yaml:9: nodes: got 65, expected a whole number from 1 to 64",
    );
    assert.equal(
      failure(`${good}fund: 6m\n`).message,
      'task.yaml:9: fund: got "6m", expected at most resources.duration, 5m',
    );
  });

  for (const [what, text, code, line, field] of [
    ["a wrong unit", good.replace("256Mi", "256MB"), "TASK_FILE_INVALID", 7, "resources.memory"],
    ["an unknown field", `${good}replicas: 3\n`, "TASK_FILE_INVALID", 9, "replicas"],
    ["a missing field", good.replace("  duration: 5m\n", ""), "TASK_FILE_INVALID", 6, "resources.duration"],
    ["too many nodes", `${good}nodes: 65\n`, "TASK_FILE_INVALID", 9, "nodes"],
    ["nodes that are no number", `${good}nodes: two\n`, "TASK_FILE_INVALID", 9, "nodes"],
    ["too many attempts", `${good}attempts: 4\n`, "TASK_FILE_INVALID", 9, "attempts"],
    ["a failover without a unit", `${good}failover: "120"\n`, "TASK_FILE_INVALID", 9, "failover"],
    ["a fund that is more than the duration", `${good}fund: 6m\n`, "TASK_FILE_INVALID", 9, "fund"],
    ["a wrong name", good.replace("sum", "Sum!"), "TASK_FILE_INVALID", 1, "name"],
    ["results of which too few agree", quorum("{agree: 1, of: 2}"), "TASK_FILE_INVALID", 10, AGREE],
    ["more that agree than there are", quorum("{agree: 4, of: 3}"), "TASK_FILE_INVALID", 10, AGREE],
    ["a quorum of one", quorum("{agree: 1, of: 1}"), "TASK_FILE_INVALID", 10, "verification.quorum.of"],
    [
      "another number of nodes than of results",
      quorum(TWO_OF_THREE, "nodes: 2"),
      "TASK_FILE_INVALID",
      11,
      "nodes",
    ],
    ["a quorum with attempts", quorum(TWO_OF_THREE, "attempts: 3"), "TASK_FILE_INVALID", 11, "attempts"],
    ["an unknown verification", `${good}verification: proof\n`, "TASK_FILE_INVALID", 9, "verification"],
    ["broken YAML", `${good}env: {A: [}\n`, "TASK_FILE_INVALID", 9, "(YAML)"],
    [
      "a bare env name of a public task",
      `${good}env:\n  - A=1\n  - WANDB_KEY\n`,
      "SECRET_IN_PUBLIC_SPEC",
      11,
      "env.WANDB_KEY",
    ],
    ["a reserved variable", `${good}env:\n  MASTER_ADDR: x\n`, "ENV_RESERVED", 10, "env.MASTER_ADDR"],
    ["an input outside", `${good}inputs:\n  - {from: a, to: ../b}\n`, "TASK_FILE_INVALID", 10, "inputs.0.to"],
  ] as const) {
    it(`names line and field of ${what}`, () => {
      const error = failure(text);
      assert.equal(error.code, code);
      assert.equal(error.details.line, line);
      assert.equal(error.details.field, field);
      assert.match(error.message, new RegExp(`^task\\.yaml:${line}: `));
      assert.match(error.message, /got .*, expected |Dekuper sets/);
    });
  }
});
