import { oracleSettings } from "@dekuper/oracle/settings";
import type { Command } from "commander";
import { runDaemon } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

export function registerOracleCommands(program: Command, runtime: Runtime): void {
  const oracle = program.command("oracle").description("the provider's daemon");
  const command = oracle
    .command("run")
    .description("run the daemon beside a cluster until it is stopped; a restart loses nothing")
    .requiredOption("--config <file>", "configuration; `dekuper node init` writes one with every setting")
    .option("--adopt", "take over live leases of this key although the journal is empty")
    .addHelpText("after", settingsHelp);
  handle<{ config: string; adopt?: boolean }>(
    command,
    runtime,
    async (context, _, options): Promise<Answer> => {
      await runDaemon(context, options);
      return { json: { stopped: true }, print: () => undefined };
    },
  );
}

/** Every setting of the configuration, with what it is when it is not set. */
function settingsHelp(): string {
  const lines = oracleSettings().map(({ key, required, description, default: initial }) => {
    const otherwise = required ? " Needed." : initial === undefined ? "" : ` Default: ${initial}.`;
    return `  ${key.padEnd(18)}  ${description}${otherwise}`;
  });
  return `
Settings of the configuration:
${lines.join("\n")}

A variable of the environment wins over the file: DEKUPER_ORACLE_HTTP_PORT sets httpPort.`;
}
