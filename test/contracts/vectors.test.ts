/** The vectors that the TypeScript packages are held to, held against the contracts. */
import { readFile } from "node:fs/promises";
import { expect } from "chai";
import type { BaseContract } from "ethers";
import { ethers, loadFixture, localMarket, networkHelpers, orderHash, registerTypes } from "./market.ts";

interface Vector {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: the files' shapes differ, and wrong ones fail the test
  readonly input: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly expected: any;
}

async function vectors(name: string): Promise<readonly Vector[]> {
  const path = new URL(`../../protocol/vectors/${name}.json`, import.meta.url);
  return JSON.parse(await readFile(path, "utf8")).cases;
}

/** This build's code at the vector's address; ids and domains depend on it. */
async function putAt(address: string, registry: BaseContract): Promise<string> {
  await networkHelpers.setCode(address, await ethers.provider.getCode(await registry.getAddress()));
  return address;
}

async function taskRegistryAt(address: string) {
  const { tasks } = await loadFixture(localMarket);
  return ethers.getContractAt("TaskRegistry", await putAt(address, tasks));
}

async function nodeRegistryAt(address: string) {
  const { nodes } = await loadFixture(localMarket);
  return ethers.getContractAt("NodeRegistry", await putAt(address, nodes));
}

describe("Vectors", () => {
  it("ids: order hash, task id, lease id and ticket", async () => {
    for (const { input, expected } of await vectors("ids")) {
      const tasks = await taskRegistryAt(input.registry);
      const hash = orderHash(input.order);
      expect(hash).to.equal(expected.orderHash);
      const taskId = await tasks.taskIdOf(input.consumer, input.nonce, hash);
      expect(taskId).to.equal(expected.taskId);
      expect(await tasks.leaseIdOf(taskId, 0)).to.equal(expected.leaseId);
      const encoded = ethers.AbiCoder.defaultAbiCoder().encode(
        ["bytes32", "address"],
        [input.seed, input.node],
      );
      expect(ethers.keccak256(encoded)).to.equal(expected.ticket);
    }
  });

  it("attestation: the EIP-712 hash that the operator signs", async () => {
    for (const { input, expected } of await vectors("attestation")) {
      const tasks = await taskRegistryAt(input.registry);
      expect(await tasks.attestationHash(input.attestation)).to.equal(expected);
    }
  });

  it("register: the registration that the operator signs", async () => {
    for (const { input, expected } of await vectors("register")) {
      const nodes = await nodeRegistryAt(input.registry);
      const structHash = ethers.TypedDataEncoder.from(registerTypes).hash(input.register);
      const separator = await nodes.domainSeparator();
      expect(ethers.keccak256(ethers.concat(["0x1901", separator, structHash]))).to.equal(expected);
    }
  });
});
