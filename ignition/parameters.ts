import { readFile } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { MarketAddresses } from "./addresses.ts";

/*
 * What reaches Ignition is a type, not an interface: an interface may grow fields, so it has no index signature.
 */

/** What an order keeps from its creation; units as in `contracts/interfaces/Types.sol`. */
export type Terms = {
  challengeWindow: number;
  completionGrace: number;
  outageGrace: number;
  drift: number;
  minBilled: number;
  minCheckpointInterval: number;
  minRetention: number;
  feeBps: number;
  lockBps: number;
  /** Base units, decimal. */
  minLock: string;
  ticketAge: number;
  widenTime: number;
  firstShareBps: number;
  grantWindow: number;
  replaceWindow: number;
  gangFaultWindow: number;
  minRun: number;
  standbyBps: number;
  revealWindow: number;
  noQuorumBps: number;
  answerWindow: number;
  /** Base units, decimal. */
  claimBond: string;
};

export type TaskParameters = {
  terms: Terms;
  maxStartWindow: number;
  maxDuration: number;
  maxOpenTime: number;
  maxQuoteLife: number;
};

export type NodeParameters = {
  /** Base units, decimal. */
  minStake: string;
  /** Base units, decimal. */
  stakePerGpu: string;
};

export type LivenessParameters = {
  epochLength: number;
  reportGrace: number;
  reportCooldown: number;
  reportLife: number;
  maxMissed: number;
  minSeats: number;
  /** Base units, decimal. */
  minSeatStake: string;
};

/** A parameter and the bounds that no role can ever leave. */
export interface Bounded<T> {
  initial: T;
  min: T;
  max: T;
}

/** One file of `ignition/parameters/`. */
export interface MarketParameters {
  governance: { executionDelay: number };
  evidencePeriod: number;
  task: Bounded<TaskParameters>;
  node: Bounded<NodeParameters>;
  liveness: Bounded<LivenessParameters>;
}

/** The people of one deployment. */
export interface MarketRoles {
  readonly governor: string;
  readonly guardian: string;
  readonly feeRecipient: string;
}

/** Reads `local`, `production` or the file at a path. */
export async function readParameters(nameOrPath: string): Promise<MarketParameters> {
  const named = nameOrPath === "local" || nameOrPath === "production";
  const path = named
    ? fileURLToPath(new URL(`parameters/${nameOrPath}.json`, import.meta.url))
    : isAbsolute(nameOrPath)
      ? nameOrPath
      : resolve(nameOrPath);
  return JSON.parse(await readFile(path, "utf8"));
}

/** The parameters of the modules in `ignition/modules/`; `token` only where the network has one already. */
export function moduleParameters(
  parameters: MarketParameters,
  roles: MarketRoles,
  addresses: MarketAddresses,
  token?: string,
) {
  return {
    Governance: {
      governor: roles.governor,
      executionDelay: parameters.governance.executionDelay,
      guardian: roles.guardian,
      pausable: [addresses.taskRegistry, addresses.nodeRegistry],
    },
    Market: {
      ...addresses,
      ...(token === undefined ? {} : { token }),
      feeRecipient: roles.feeRecipient,
      evidencePeriod: parameters.evidencePeriod,
      task: parameters.task.initial,
      taskMin: parameters.task.min,
      taskMax: parameters.task.max,
      node: parameters.node.initial,
      nodeMin: parameters.node.min,
      nodeMax: parameters.node.max,
      livenessInitial: parameters.liveness.initial,
      livenessMin: parameters.liveness.min,
      livenessMax: parameters.liveness.max,
    },
  };
}
