import { readdir, readFile } from "node:fs/promises";
import { expect } from "chai";

const contracts = new URL("../../contracts/", import.meta.url);
const tests = new URL("./", import.meta.url);

/* That every revert is really reached is what `scripts/check-coverage.ts` holds: a name may be shared by two contracts. */
describe("Every custom error that the contracts declare", () => {
  it("is named by a test that reaches it", async () => {
    const sources = (await readdir(contracts, { recursive: true })).filter(
      (file) => file.endsWith(".sol") && !file.startsWith("test/") && !file.endsWith(".t.sol"),
    );
    const declared = new Set<string>();
    for (const source of sources) {
      const text = await readFile(new URL(source, contracts), "utf8");
      for (const match of text.matchAll(/^\s*error (\w+)\(/gm)) declared.add(match[1] as string);
    }
    const specs = (await readdir(tests)).filter((file) => file.endsWith(".test.ts"));
    const text = (await Promise.all(specs.map((file) => readFile(new URL(file, tests), "utf8")))).join("\n");
    expect(declared.size).to.be.greaterThan(50);
    expect(
      [...declared].filter((name) => !text.includes(`"${name}"`) && !text.includes(`/${name}/`)),
    ).to.deep.equal([]);
  });
});
