import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { marketDirectory } from "@dekuper/client";
import { FreshDirectory } from "../src/peer/fresh-directory.ts";
import { address, aNode } from "./builders.ts";

const [known, later, nobody] = [address(1), address(2), address(3)];

/** A directory of one node, with a clock that the test moves and a registry that has two. */
function aDirectory(read: () => Promise<void> = () => Promise.resolve()) {
  const directory = marketDirectory([aNode({ address: known })]);
  const clock = { ms: 1_000_000 };
  let readings = 0;
  const reread = async () => {
    readings++;
    await read();
    directory.set([known, later].map((node) => aNode({ address: node })));
  };
  const fresh = new FreshDirectory({ directory, reread, now: () => clock.ms });
  return { fresh, clock, readings: () => readings };
}

describe("the directory of a session that lasts", () => {
  it("is not read again for a node that it knows", async () => {
    const { fresh, clock, readings } = aDirectory();
    clock.ms += 3_600_000;
    assert.equal((await fresh.find(known))?.node, known);
    assert.equal(readings(), 0);
  });

  it("finds a node that was registered after it began", async () => {
    const { fresh, clock, readings } = aDirectory();
    clock.ms += 5_000;
    assert.equal((await fresh.find(later))?.node, later);
    assert.equal(readings(), 1);
  });

  it("asks the chain once in five seconds, however often nobody's address is asked for", async () => {
    const { fresh, clock, readings } = aDirectory();
    for (let second = 0; second < 20; second++) {
      const all = [fresh.find(nobody), fresh.find(nobody)];
      assert.deepEqual(await Promise.all(all), [undefined, undefined]);
      clock.ms += 1_000;
    }
    assert.equal(readings(), 3);
  });

  it("says so where the chain cannot be read, and does not ask it in a loop", async () => {
    const { fresh, clock, readings } = aDirectory(() => Promise.reject(new Error("no answer")));
    clock.ms += 5_000;
    await assert.rejects(fresh.find(later), /no answer/);
    assert.equal(await fresh.find(later), undefined);
    assert.equal(readings(), 1);
  });

  it("is what its owner makes of it where nothing reads it again", async () => {
    const directory = marketDirectory([]);
    const fresh = new FreshDirectory({ directory, now: () => Date.now() + 1e9 });
    assert.equal(await fresh.find(later), undefined);
  });
});
