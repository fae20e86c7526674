import { readFile } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { DekuperError, isImageByDigest, type Network, parseTaskFile, type TaskFile } from "@dekuper/protocol";
import { resolveImage } from "@dekuper/protocol/node";
import type { TokenInfo } from "../chain/account.ts";
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

/** Reads a task file, hashes its inputs and resolves its image: ready to be planned and submitted. */
export async function loadTask(from: {
  path: string;
  network: Network;
  token: Pick<TokenInfo, "symbol" | "decimals">;
  recipient: string;
  file?: TaskFile | undefined;
  signal?: AbortSignal | undefined;
}): Promise<PreparedTask> {
  const { network, token, recipient, signal } = from;
  const file = from.file ?? (await readTaskFile(from.path));
  const [image, inputs] = await Promise.all([
    resolveTaskImage(file, network),
    readInputs(file, dirname(resolve(from.path)), signal),
  ]);
  return prepareTask({ file, network, token, recipient, inputs, image });
}

async function resolveTaskImage(file: TaskFile, network: Network): Promise<string> {
  const named = imageNameOf(file);
  // A word alone is a name that the network knows, never one of a registry's.
  const isTag = !Object.hasOwn(network.images, named) && !isImageByDigest(named) && /[/:]/.test(named);
  return isTag ? resolveImage(named) : imageOf(file, network);
}
