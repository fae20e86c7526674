import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { readProtocol, renderProtocol } from "../../scripts/render-protocol.ts";
import { busyLocalMarket, DOLLAR, digest, loadFixture, nextBlockAt, people } from "./market.ts";
import { first, fourth, marketWithProviders, member, runningGang, second, third } from "./providers.ts";

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
    expect(rules.length).to.equal(30);
    for (const rule of rules) {
      const tests = rule.split("|").at(-2) ?? "";
      const named = [...tests.matchAll(/`([\w./-]+)`: ((?:"[^"]+"(?:, )?)+)/g)];
      expect(named.length, rule).to.be.greaterThan(0);
      for (const [, file, titles] of named) {
        const path = file ?? "";
        const folder = path.endsWith(".sol")
          ? "../../contracts/"
          : /^(cli|client|frontend|kubernetes|oracle|protocol|test)\//.test(path)
            ? "../../"
            : "./";
        const text = await readFile(new URL(folder + path, import.meta.url), "utf8");
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

  it("pays the worked example of a gang", async () => {
    const market = await loadFixture(marketWithProviders);
    const { consumer } = people;
    const cents = (amount: number) => (BigInt(amount) * DOLLAR) / 100n;
    await market.escrow.connect(consumer).withdraw(consumer.address, 9_800n * DOLLAR);
    const accounts = async () => {
      const owners = [first, second, third, fourth].map(({ owner }) => owner.address);
      const { staked } = await market.nodes.stakeOf(third.operator.address);
      return [
        await market.escrow.freeOf(consumer.address),
        await market.escrow.reservedOf(consumer.address),
        ...(await Promise.all(owners.map((owner) => market.escrow.earningsOf(owner)))),
        staked,
      ];
    };
    const order = { ratePerHour: 36n * DOLLAR, maxAttempts: 2 };
    const { task, clockStart } = await runningGang(market, [first, second, third], order);
    expect(await accounts()).to.deep.equal([9200, 10_800, 0, 0, 0, 0, 100_000].map(cents));
    const lost = task.leaseIds[2] as string;
    const asThird = market.tasks.connect(third.operator);
    await nextBlockAt(clockStart + 200n);
    await asThird.checkpoint(lost, 1, 1, digest("checkpoint"));
    await nextBlockAt(clockStart + 300n);
    await asThird.failLease(lost, 1, digest("given up"));
    expect(await accounts()).to.deep.equal([9200, 10_600, 0, 0, 198, 0, 100_000].map(cents));
    await market.tasks.connect(fourth.operator).takeOver(lost);
    await nextBlockAt(clockStart + 380n);
    await market.tasks.connect(fourth.operator).startLease(lost, 2);
    expect(await accounts()).to.deep.equal([9200, 10_600, 40, 40, 198, 0, 99_920].map(cents));
    const ended = clockStart + 480n;
    for (const [index, { operator }] of [first, second, fourth].entries()) {
      await nextBlockAt(ended + BigInt(index));
      await market.complete(member(task, index), { ended }, people.stranger, operator);
    }
    for (const index of [0, 1]) await market.tasks.connect(consumer).approve(member(task, index).leaseId);
    expect(await accounts()).to.deep.equal([15_600, 3400, 436, 436, 198, 0, 99_920].map(cents));
    await market.tasks.connect(consumer).approve(lost);
    expect(await accounts()).to.deep.equal([18_900, 0, 436, 436, 198, 99, 99_920].map(cents));
    expect((await market.escrow.totals()).fees).to.equal(cents(11));
  });
});
