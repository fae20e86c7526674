import {
  ageIdentity,
  DekuperError,
  type Digest,
  decodeWrap,
  ENCRYPTION_KEY_GENERATIONS,
  isDekuperError,
  nodeEncryptionSecret,
  readWrapPayload,
  TaskKey,
} from "@dekuper/protocol";
import { Decrypter } from "age-encryption";
import type { Address, Hex } from "viem";
import type { Secret } from "../config/secret.ts";
import type { FactStore, OrderedTask } from "../journal/facts.ts";
import type { CheckpointCipher } from "../result/checkpoint.ts";

/** A private task's key as this node was handed it, and the name of its sealed spec. */
export interface OpenedKey {
  readonly key: TaskKey;
  readonly specBlob: Digest;
}

type Task = Pick<OrderedTask, "taskId" | "consumer">;

/** Tasks whose opened key is remembered. */
const REMEMBERED = 1_024;

/**
 * The keys of private tasks that this node was handed on chain (rule 11): read from `KeyGranted`, opened with the node's encryption
 * keys of every generation, and only for the consumer that made them. They rest nowhere: each is opened again from the chain.
 */
export class TaskKeys {
  private readonly node: Address;
  private readonly store: Pick<FactStore, "grantsTo">;
  private readonly identities: readonly string[];
  /** By consumer and wrap: what opened for one consumer's task does not open for another's that copied it. */
  private readonly opened = new Map<string, OpenedKey>();

  constructor(operatorKey: Secret, node: Address, store: Pick<FactStore, "grantsTo">) {
    this.node = node;
    this.store = store;
    this.identities = Array.from({ length: ENCRYPTION_KEY_GENERATIONS }, (_, index) =>
      ageIdentity(nodeEncryptionSecret(operatorKey.reveal() as Hex, index + 1)),
    );
  }

  /**
   * Undefined: the node was handed no key so far. Throws `KEY_WRAP_INVALID` where it was handed wraps and none of them opens, or none
   * was made by the task's consumer.
   */
  async of({ taskId, consumer }: Task): Promise<OpenedKey | undefined> {
    let refused: DekuperError | undefined;
    for (const wrap of this.store.grantsTo(this.node, taskId)) {
      try {
        return this.opened.get(cacheKey(wrap, consumer)) ?? (await this.open(wrap, consumer));
      } catch (error) {
        if (!isDekuperError(error, "KEY_WRAP_INVALID")) throw error;
        refused ??= error;
      }
    }
    if (refused !== undefined) throw refused;
    return undefined;
  }

  /** How a private task's checkpoints rest: sealed under its key, so that whoever was handed it can go on from them. */
  cipherOf(task: Task): CheckpointCipher {
    const key = async () => {
      const found = await this.of(task);
      if (found !== undefined) return found.key;
      throw new DekuperError("KEY_WRAP_INVALID", "This node was handed no key of the task.", {
        details: { taskId: task.taskId },
      });
    };
    return {
      seal: async function* (plain) {
        yield* (await key()).seal(plain);
      },
      open: async function* (sealed) {
        yield* (await key()).open(sealed);
      },
    };
  }

  private async open(wrap: Hex, consumer: Address): Promise<OpenedKey> {
    const { salt, specBlob, file } = decodeWrap(wrap);
    const decrypter = new Decrypter();
    for (const identity of this.identities) decrypter.addIdentity(identity);
    const payload = await decrypter.decrypt(file).catch((cause: unknown) => {
      throw new DekuperError(
        "KEY_WRAP_INVALID",
        "The task's key was not wrapped for this node's encryption key.",
        {
          cause,
        },
      );
    });
    const found = { key: new TaskKey(readWrapPayload(payload, consumer), salt), specBlob };
    this.opened.set(cacheKey(wrap, consumer), found);
    const [oldest] = this.opened.keys();
    if (this.opened.size > REMEMBERED && oldest !== undefined) this.opened.delete(oldest);
    return found;
  }
}

const cacheKey = (wrap: Hex, consumer: Address) => `${consumer}:${wrap}`;
