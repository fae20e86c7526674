import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parse } from "./compiler.ts";
import { hashOfCode } from "./journal.ts";
import { mutantsOf } from "./operators.ts";

/** The mutants of a function's body, as "operator: original -> mutated". */
function mutantsIn(body: string, leftOut: readonly string[] = []): string[] {
  const file = "contracts/Account.sol";
  const source = `pragma solidity 0.8.37;
    library Math {
      function min(uint256 a, uint256 b) internal pure returns (uint256) { return a; }
    }
    contract Account {
      error TooMuch(uint256 amount);
      event Moved(address from, address to);
      uint256 internal total;
      modifier onlyOwner() { _; }
      function move(address from, address to) internal {}
      function pay(uint256 amount, address from, address to) external onlyOwner returns (uint256 rest) { ${body} }
    }`;
  const tree = parse(new Map([[file, source]]), [file]).get(file);
  return mutantsOf(file, source, tree, new Set(["min", "move", ...leftOut]))
    .filter(({ operator }) => operator !== "modifier")
    .map(({ operator, original, mutated }) => `${operator}: ${original} -> ${mutated}`);
}

describe("a mutant", () => {
  it("flips a boundary, and negates and deletes a guard", () => {
    assert.deepEqual(mutantsIn("if (amount > total) revert TooMuch(amount);").sort(), [
      "boundary: amount > total -> amount >= total",
      "deletion: if (amount > total) revert TooMuch(amount) -> {}",
      "negation: amount > total -> !(amount > total)",
    ]);
  });

  it("flips an equation once: its negation would be the same", () => {
    assert.deepEqual(mutantsIn("if (amount == total) return amount;"), [
      "boundary: amount == total -> amount != total",
    ]);
  });

  it("turns arithmetic around, also where it is assigned, and deletes the write", () => {
    assert.deepEqual(mutantsIn("total += amount * total;").sort(), [
      "arithmetic: amount * total -> amount / total",
      "arithmetic: total += amount * total -> total -= amount * total",
      "deletion: total += amount * total -> {}",
    ]);
  });

  it("moves a number by one", () => {
    assert.deepEqual(mutantsIn("return 10_000;"), ["off by one: return 10_000 -> return 10001"]);
  });

  it("takes the other extreme", () => {
    assert.deepEqual(mutantsIn("return Math.min(amount, total);"), [
      "min and max: Math.min(amount, total) -> Math.max(amount, total)",
    ]);
  });

  it("swaps arguments of one type, and deletes the call", () => {
    assert.deepEqual(mutantsIn("move(from, to);").sort(), [
      "deletion: move(from, to) -> {}",
      "swapped arguments: move(from, to) -> move(to, from)",
    ]);
  });

  it("says nothing where an event was", () => {
    assert.deepEqual(mutantsIn("emit Moved(from, to);"), ["silence: emit Moved(from, to) -> {}"]);
  });

  it("stands in none of the functions that are left out", () => {
    assert.deepEqual(mutantsIn("return 1;", ["pay"]), []);
  });

  it("keeps its name apart from a second one that reads the same", () => {
    const file = "contracts/Twice.sol";
    const source =
      "pragma solidity 0.8.37; contract Twice { uint256 n; function f() external { n += 2; n += 2; } }";
    const tree = parse(new Map([[file, source]]), [file]).get(file);
    const keys = mutantsOf(file, source, tree, new Set()).map(({ key }) => key);
    assert.equal(new Set(keys).size, keys.length);
  });
});

describe("the hash of a contract's code", () => {
  it("is of the code alone", () => {
    assert.equal(hashOfCode("a = 1; // why\n/* long */ b = 2;"), hashOfCode("a = 1;\n\n  b = 2;"));
    assert.notEqual(hashOfCode("a = 1;"), hashOfCode("a = 2;"));
    assert.notEqual(hashOfCode('s = "http://one";'), hashOfCode('s = "http://two";'));
  });
});
