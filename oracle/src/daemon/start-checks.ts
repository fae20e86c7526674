import { readFileSync } from "node:fs";
import { DekuperError, isDekuperError, type Network } from "@dekuper/protocol";
import { checkNetwork } from "../chain/checks.ts";
import { systemClock } from "../chain/clock.ts";
import type { ChainReader } from "../chain/reader.ts";
import type { Finality } from "../chain/view.ts";
import type { OracleConfig } from "../config/schema.ts";
import { Secret } from "../config/secret.ts";
import type { FactStore } from "../journal/facts.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";

/** Between two tries to reach what is away. */
const WAIT_MS = 2_000;

/** The state folder belongs to one chain for ever. */
export function checkChain(store: FactStore, deploymentBlockHash: string): void {
  const known = store.meta("deploymentBlockHash");
  if (known === undefined) store.setMeta("deploymentBlockHash", deploymentBlockHash);
  else if (known !== deploymentBlockHash) {
    throw new DekuperError("CHAIN_CHANGED", "The state folder belongs to another deployment.", {
      details: { got: deploymentBlockHash, expected: known },
    });
  }
}

/** A wrong network ends the daemon at once; an RPC that is away is waited for. */
export async function untilChecked(
  reader: ChainReader,
  network: Network,
  log: OracleLog,
  signal?: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      await checkNetwork(reader, network.deployment);
      if ((await reader.look()).evidence === "readable") return;
    } catch (error) {
      if (!isDekuperError(error) || !error.retryable) throw error;
      log.warn({ error: errorFields(error) }, "waiting-for-rpc");
    }
    await systemClock.sleep(WAIT_MS, signal);
    signal?.throwIfAborted();
  }
}

/** A cluster that is away is waited for as well; what it refuses ends the daemon. */
export async function untilReachable<Result>(
  reach: () => Promise<Result>,
  log: Pick<OracleLog, "warn">,
  { signal, waitMs = WAIT_MS }: { signal?: AbortSignal | undefined; waitMs?: number } = {},
): Promise<Result> {
  for (;;) {
    try {
      return await reach();
    } catch (error) {
      if (!isDekuperError(error, "CLUSTER_UNREACHABLE")) throw error;
      log.warn({ error: errorFields(error) }, "waiting-for-cluster");
    }
    await systemClock.sleep(waitMs, signal);
    signal?.throwIfAborted();
  }
}

/** When a block counts as final: as configured, else by the chain. */
export function finalityOf(config: OracleConfig, isLocalChain: boolean): Finality {
  const { finality } = config;
  if (typeof finality === "number") return { kind: "depth", depth: finality };
  return isLocalChain && finality === undefined ? { kind: "depth", depth: 3 } : { kind: "tag" };
}

/** The keystore's password, from the file or the setting. */
export function passwordOf(config: OracleConfig): Secret {
  if (config.password !== undefined) return config.password;
  if (config.passwordFile === undefined) {
    throw new DekuperError(
      "CONFIG_INVALID",
      "passwordFile or password: one of them is needed to open the keystore.",
      { details: { key: "passwordFile" } },
    );
  }
  try {
    return new Secret(readFileSync(config.passwordFile, "utf8").replace(/\r?\n$/, ""));
  } catch (cause) {
    throw new DekuperError("CONFIG_INVALID", `passwordFile: ${config.passwordFile} cannot be read.`, {
      cause,
      details: { key: "passwordFile" },
    });
  }
}
