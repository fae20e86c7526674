import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { nodeStatuses } from "@dekuper/protocol";
import { type Address, getAddress, type Hex } from "viem";
import type { ChainReader } from "../../src/chain/reader.ts";
import { NodeMap } from "../../src/daemon/node-map.ts";
import { deployment } from "./builders.ts";

const addressOf = (index: number): Address => getAddress(`0x${index.toString(16).padStart(40, "0")}`);

/** A registry with these nodes, read as the contract is: by pages. */
function aRegistry(statuses: readonly (typeof nodeStatuses)[number][]) {
  const nodes = statuses.map((status, index) => ({ node: addressOf(index + 1), status }));
  const price = { perGpuHour: 1n, perVCpuHour: 1n };
  const client = {
    readContract: async ({ functionName, args }: { functionName: string; args: readonly unknown[] }) => {
      if (functionName === "nodesPaged") {
        const [offset, limit] = args as [bigint, bigint];
        return nodes.slice(Number(offset), Number(offset + limit)).map(({ node }) => node);
      }
      if (functionName === "available") return { gpus: 3, vCpus: 4, memoryMiB: 5n };
      const found = nodes.find(({ node }) => node === args[0]);
      return {
        owner: addressOf(999),
        status: nodeStatuses.indexOf(found?.status ?? "None"),
        operatorPublicKey: `0x${"01".repeat(64)}` as Hex,
        floor: price,
        profile: {
          multiaddrs: ["/ip4/10.0.0.1/tcp/4001"],
          isolation: 0,
          gpuModel: "",
          storageMiB: 1n,
          posted: price,
        },
      };
    },
  };
  const reader = { read: (work: (from: typeof client) => unknown) => work(client) };
  return { map: new NodeMap(reader as unknown as ChainReader, deployment), nodes };
}

describe("the registry's nodes as a directory of peers", () => {
  it("finds Active and Draining ones, whatever the case of the address, and no Retired one", async () => {
    const { map } = aRegistry(["Active", "Draining", "Retired"]);
    assert.equal(map.find(addressOf(1)), undefined, "nothing was read yet");
    await map.refresh();
    assert.equal(map.find(addressOf(1).toLowerCase() as Address)?.active, true);
    assert.equal(map.find(addressOf(2))?.active, false);
    assert.equal(map.find(addressOf(3)), undefined);
    assert.equal(map.find(addressOf(4)), undefined);
    assert.deepEqual(
      map.all().map(({ node }) => node),
      [addressOf(1), addressOf(2)],
    );
    assert.deepEqual(map.all()[0]?.multiaddrs, ["/ip4/10.0.0.1/tcp/4001"]);
  });

  it("reads every page", async () => {
    const { map } = aRegistry(Array.from({ length: 200 }, () => "Active" as const));
    await map.refresh();
    assert.equal(map.all().length, 200);
  });

  it("knows what is free on a node", async () => {
    const { map } = aRegistry(["Active"]);
    await map.refresh();
    assert.deepEqual(map.entry(addressOf(1))?.available, { gpus: 3, vCpus: 4, memoryMiB: 5n });
  });
});
