import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readForm, starts } from "../features/submit/form.ts";

const read = (change: Partial<typeof starts.batch>) => readForm({ ...starts.batch, ...change });

describe("the form of a new task", () => {
  it("is a task file of one node, with all of its duration reserved for", () => {
    const { file, problems } = read({});
    assert.deepEqual(problems, {});
    assert.deepEqual([file?.nodes, file?.fund, file?.verification], [1, undefined, undefined]);
  });

  it("is private until one says otherwise", () => {
    assert.deepEqual([read({}).file?.public, read({ isPublic: true }).file?.public], [false, true]);
  });

  it("takes no bare names of variables: a browser has no environment", () => {
    const { file, problems } = read({ env: "EPOCHS=3\nTOKEN" });
    assert.deepEqual([file, problems.env], [undefined, "Write NAME=value on each line."]);
    assert.deepEqual(read({ env: "EPOCHS=3\n" }).file?.env, ["EPOCHS=3"]);
  });

  it("runs on several nodes as a gang, funded for a part", () => {
    const { file } = read({ nodes: "4", fund: "5m" });
    assert.deepEqual([file?.nodes, file?.fund, file?.verification], [4, "5m", undefined]);
  });

  it("compares the results of several nodes where some must be alike", () => {
    const { file, problems } = read({ nodes: "3", agree: "2" });
    assert.deepEqual(problems, {});
    assert.equal(file?.nodes, undefined);
    assert.deepEqual(file?.verification, { quorum: { agree: 2, of: 3 } });
  });

  it("names the field that is wrong", () => {
    assert.match(read({ nodes: "none" }).problems.nodes ?? "", /^Write a whole number from 1 to 64\.$/);
    assert.match(read({ nodes: "1", agree: "1" }).problems.nodes ?? "", /^Write a whole number from 2 to 64/);
    for (const agree of ["1", "4", "x"])
      assert.match(read({ nodes: "3", agree }).problems.agree ?? "", /^Write more than half of 3/, agree);
    assert.match(read({ fund: "soon" }).problems.fund ?? "", /^Write a duration/);
    for (const change of [{ nodes: "none" }, { nodes: "3", agree: "x" }, { fund: "soon" }])
      assert.equal(read(change).file, undefined);
  });
});
