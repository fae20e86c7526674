import { readdir, readFile } from "node:fs/promises";
import { expect } from "chai";

const contracts = new URL("../../contracts/", import.meta.url);
const read = (path: string) => readFile(new URL(path, contracts), "utf8");

interface Invariant {
  readonly contract: string;
  readonly name: string;
  /** The path in `contracts/` of the tests that the contract's header names. */
  readonly tests: string;
}

/** The invariants that the headers state: a line `/// - Name: what holds` each. */
async function stated(): Promise<readonly Invariant[]> {
  const sources = (await readdir(contracts, { recursive: true })).filter(
    (file) => file.endsWith(".sol") && !file.startsWith("test/") && !file.endsWith(".t.sol"),
  );
  const all = await Promise.all(
    sources.map(async (contract) => {
      const text = await read(contract);
      const names = [...text.matchAll(/^\/\/\/ - (\w+): \w/gm)].map((match) => match[1] as string);
      const file = text.match(/same name in `(?:contracts\/)?([\w./]+)`/)?.[1] ?? "";
      const tests = file.includes("/") ? file : contract.replace(/[^/]+$/, file);
      return names.map((name) => ({ contract, name, tests }));
    }),
  );
  return all.flat();
}

describe("Every invariant in a contract's header", () => {
  it("is a fuzzed test of the same name, where the header says", async () => {
    const invariants = await stated();
    expect(invariants.length).to.be.greaterThan(15);
    for (const { contract, name, tests } of invariants) {
      expect(await read(tests), `${contract}: ${name}`).to.match(
        new RegExp(`function (invariant|testFuzz)_${name}\\(`),
      );
    }
  });

  it("is all that the money tests hold the market to", async () => {
    const names = [...(await read("test/Money.t.sol")).matchAll(/function invariant_(\w+)\(/g)];
    const known = (await stated()).map(({ name }) => name);
    expect(known).to.include.members(names.map((match) => match[1] as string));
  });
});
