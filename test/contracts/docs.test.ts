import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { readProtocol, renderProtocol } from "../../scripts/render-protocol.ts";
import { busyLocalMarket, DOLLAR, loadFixture, nextBlockAt, people } from "./market.ts";

describe("docs/protocol.md", () => {
  it("shows the tables that the tests and the deployments use", async () => {
    const page = await readProtocol();
    expect(await renderProtocol(page)).to.equal(page);
    for (const line of page.split("\n").filter((text) => text.startsWith("|"))) {
      expect(line, "an empty cell").not.to.match(/\|\s*\|/);
    }
  });

  it("names a test that exists for each rule", async () => {
    const page = await readProtocol();
    const index = page.match(/<!-- rules -->\n([\s\S]*?)<!-- end -->/)?.[1] ?? "";
    const rules = index.split("\n").filter((line) => /^\| \d+ \|/.test(line));
    expect(rules.length).to.equal(23);
    for (const rule of rules) {
      const tests = rule.split("|").at(-2) ?? "";
      const named = [...tests.matchAll(/`([\w./-]+)`: ((?:"[^"]+"(?:, )?)+)/g)];
      expect(named.length, rule).to.be.greaterThan(0);
      for (const [, file, titles] of named) {
        const folder = file?.endsWith(".sol") ? "../../contracts/" : "./";
        const text = await readFile(new URL(folder + file, import.meta.url), "utf8");
        for (const [, title] of (titles ?? "").matchAll(/"([^"]+)"/g)) expect(text).to.include(title);
      }
    }
  });

  it("pays the worked example of the docs", async () => {
    const market = await loadFixture(busyLocalMarket);
    const { consumer, owner } = people;
    await market.escrow.connect(consumer).withdraw(consumer.address, 9_900n * DOLLAR);
    const ref = await market.leaseIn("Running", { ratePerHour: 10n * DOLLAR, maxDuration: 5400 });
    const lease = await market.tasks.getLease(ref.leaseId);
    expect([lease.reserved, lease.lock]).to.deep.equal([15n * DOLLAR, 10n * DOLLAR]);
    await nextBlockAt(lease.startedAt + 2400n);
    await market.complete(ref, { ended: lease.startedAt + 2345n });
    await market.tasks.connect(consumer).approve(ref.leaseId);
    expect(await market.escrow.freeOf(consumer.address)).to.equal(93_486_112n);
    expect(await market.escrow.earningsOf(owner.address)).to.equal(6_448_750n);
    expect((await market.escrow.totals()).fees).to.equal(65_138n);
  });
});
