import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { parseNetwork } from "@dekuper/client";
import { DekuperError, type Network } from "@dekuper/protocol";
import { defaultStateDir } from "./network/state.ts";

/** Where a network was found. */
export interface FoundNetwork {
  readonly network: Network;
  /** Where this machine keeps what it knows of it; a local network's own folder, so that `down` takes all of it. */
  readonly stateDir: string;
}

/**
 * The network of a command: `--network` or `DEKUPER_NETWORK` as a file, or as a name under `networks/` of the state
 * folder; else the local network that runs from the state folder.
 */
export async function findNetwork(named: string | undefined, env: NodeJS.ProcessEnv): Promise<FoundNetwork> {
  const wanted = named ?? (env.DEKUPER_NETWORK || undefined);
  const stateDir = defaultStateDir(env);
  const path =
    wanted === undefined || wanted === "local"
      ? join(stateDir, "network.json")
      : /[/\\]|\.json$/.test(wanted)
        ? wanted
        : join(stateDir, "networks", `${wanted}.json`);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const message =
      wanted === undefined
        ? `No network is given and no local one runs (${path} does not exist).`
        : `There is no network ${wanted} (${path} cannot be read).`;
    throw new DekuperError("NETWORK_UNKNOWN", message, { details: { path }, cause });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new DekuperError("CONFIG_INVALID", `${path} is not JSON.`, {
      details: { path },
      hint: "A network file holds name, local, rpcUrls, deployment and images; `dekuper up` writes one.",
      cause,
    });
  }
  const network = parseNetwork(content, path);
  return { network, stateDir: network.local ? dirname(resolve(path)) : stateDir };
}
