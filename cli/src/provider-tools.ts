import { DekuperError } from "@dekuper/protocol";
import type { CommandContext } from "./context.ts";
import type { MeasuredCapacity } from "./node-profile.ts";

/** What a provider's commands need of the oracle's package; loaded only when one of them runs. */
interface OracleModule {
  readonly runOracle?: (options: {
    configFile: string;
    adopt: boolean;
    signal: AbortSignal;
  }) => Promise<void>;
}

async function oracle(): Promise<OracleModule> {
  return (await import("@dekuper/oracle" as string)) as OracleModule;
}

export async function runDaemon(
  context: CommandContext,
  options: { config: string; adopt?: boolean },
): Promise<void> {
  const { runOracle } = await oracle();
  if (runOracle === undefined) throw new DekuperError("INTERNAL", "The oracle's package has no runOracle.");
  await runOracle({ configFile: options.config, adopt: options.adopt === true, signal: context.signal });
}

export async function measureCluster(
  _context: CommandContext,
  _kubeconfig: string,
): Promise<MeasuredCapacity> {
  throw new DekuperError("INTERNAL", "The cluster cannot be measured yet.");
}
