import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import {
  DekuperError,
  isImageByDigest,
  type Network,
  parseTaskFile,
  type TaskFile,
  type TaskKey,
} from "@dekuper/protocol";
import { resolveImage } from "@dekuper/protocol/node";
import type { TokenInfo } from "../chain/account.ts";
import { preparePrivateTask } from "../sealed-task.ts";
import { imageNameOf, imageOf, type PreparedTask, prepareTask } from "../task.ts";
import { readInputs } from "./inputs.ts";

/** Reads and checks a task file; errors name its line and field. */
export async function readTaskFile(path: string): Promise<TaskFile> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw new DekuperError("TASK_FILE_MISSING", `There is no task file ${path}.`, {
      details: { path },
      cause,
    });
  }
  return parseTaskFile(text, basename(path));
}

/**
 * Reads a task file, hashes its inputs and resolves its image: ready to be planned and submitted. A private task is sealed under
 * `taskKey`; without one it is refused.
 */
export async function loadTask(from: {
  path: string;
  network: Network;
  token: Pick<TokenInfo, "symbol" | "decimals">;
  recipient: string;
  file?: TaskFile | undefined;
  taskKey?: TaskKey | undefined;
  /** Where bare names of `env` have their values. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  signal?: AbortSignal | undefined;
}): Promise<PreparedTask> {
  const { network, token, recipient, taskKey, env, signal } = from;
  const file = from.file ?? (await readTaskFile(from.path));
  const [image, inputs] = await Promise.all([
    resolveTaskImage(file, network),
    readInputs(file, dirname(resolve(from.path)), signal),
  ]);
  const settings = { file, network, token, recipient, image, env, inputs };
  if (file.public === true) return prepareTask(settings);
  if (taskKey === undefined) {
    throw new DekuperError(
      "TASK_FILE_INVALID",
      `${basename(from.path)}: public: got ${String(file.public ?? "nothing")}, expected true, since no key is given to seal a private task.`,
      { details: { field: "public" } },
    );
  }
  return preparePrivateTask(settings, taskKey, signal);
}

async function resolveTaskImage(file: TaskFile, network: Network): Promise<string> {
  const named = imageNameOf(file);
  // A word alone is a name that the network knows, never one of a registry's.
  const isTag = !Object.hasOwn(network.images, named) && !isImageByDigest(named) && /[/:]/.test(named);
  return isTag ? resolveImage(named) : imageOf(file, network);
}
