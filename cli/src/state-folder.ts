import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { RecipientMemory, TopUpMemory } from "@dekuper/client";
import { type Network, type TaskSpec, taskSpecSchema } from "@dekuper/protocol";
import { getAddress, type Hex } from "viem";
import { z } from "zod";
import { writeWhole } from "./network/state.ts";
import { toJson } from "./output/json.ts";

const seconds = z.int().nonnegative();
const amount = z.string().regex(/^\d+$/).transform(BigInt);
const noticeSchema = z.object({
  fundedSeconds: seconds,
  extraSeconds: seconds,
  amount,
  endsAt: amount,
  announcedAt: amount,
});

/** What this machine remembers of a deployment: the specs of submitted tasks, and which wallets sign alike. */
export class ConsumerFolder {
  private readonly folder: string;

  constructor(network: Network, stateDir: string) {
    const { chainId, taskRegistry, deploymentBlockHash } = network.deployment;
    // Another chain under the same addresses is another market.
    const name = `${chainId}-${taskRegistry.toLowerCase()}-${deploymentBlockHash.slice(2, 10)}`;
    this.folder = join(stateDir, "consumer", name);
  }

  /** A partial ciphertext, from which a broken fetch goes on. */
  ciphertextPath(leaseId: Hex): string {
    return join(this.folder, "ciphertexts", `${leaseId}.age`);
  }

  async saveSpec(taskId: Hex, spec: TaskSpec): Promise<void> {
    writeWhole(this.specPath(taskId), JSON.stringify(spec));
  }

  /** Undefined where the task was submitted elsewhere. */
  async loadSpec(taskId: Hex): Promise<TaskSpec | undefined> {
    try {
      return taskSpecSchema.parse(JSON.parse(await readFile(this.specPath(taskId), "utf8")));
    } catch {
      return undefined;
    }
  }

  /** Ids of the tasks submitted from this machine. */
  async taskIds(): Promise<Hex[]> {
    const names = await readdir(join(this.folder, "tasks")).catch(() => []);
    return names.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -5) as Hex);
  }

  /** Which wallets have shown that they sign alike. */
  get recipients(): RecipientMemory {
    const path = (consumer: string) => join(this.folder, "recipients", getAddress(consumer));
    return {
      load: async (consumer) => {
        try {
          return (await readFile(path(consumer), "utf8")).trim();
        } catch {
          return undefined;
        }
      },
      save: async (consumer, recipient) => writeWhole(path(consumer), `${recipient}\n`),
    };
  }

  /** Top-ups that were announced, so that a restarted watch announces none again. */
  get topUps(): TopUpMemory {
    const path = (taskId: Hex) => join(this.folder, "top-ups", `${taskId}.json`);
    return {
      load: async (taskId) => {
        try {
          return noticeSchema.parse(JSON.parse(await readFile(path(taskId), "utf8")));
        } catch {
          return undefined; // none, or none that can be read: it is announced anew
        }
      },
      save: async (taskId, notice) => writeWhole(path(taskId), toJson(notice)),
    };
  }

  private specPath(taskId: Hex): string {
    return join(this.folder, "tasks", `${taskId}.json`);
  }
}
