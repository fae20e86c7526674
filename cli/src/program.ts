import { Command } from "commander";
import { registerAccountCommands } from "./commands/account/index.ts";
import { registerNodeCommands } from "./commands/node/index.ts";
import { registerOracleCommands } from "./commands/oracle/index.ts";
import { registerRelay } from "./commands/relay.ts";
import { registerTaskCommands } from "./commands/task/index.ts";
import type { Runtime } from "./run.ts";

/** Commands whose modules are light; the local network's bring Kubernetes and the oracle. */
const LIGHT = new Set(["account", "task", "node", "oracle", "relay"]);

/**
 * The whole command, from one file per subcommand. Nothing runs until it is parsed. With `argv`, the local network's
 * commands are loaded only where they may be meant.
 */
export async function buildProgram(runtime: Runtime, argv?: readonly string[]): Promise<Command> {
  const program = new Command("dekuper")
    .description(
      "An open market of GPU clusters: order training tasks on chain, run nodes, or start a whole market on this machine.",
    )
    .version("0.1.0")
    .option(
      "--network <file|name>",
      "network file, or a name under the state folder (default: DEKUPER_NETWORK, else the local network)",
    )
    .option("--key-file <file>", "private key: 64 hex digits, or an encrypted keystore")
    .option("--keystore <file>", "encrypted keystore (default: DEKUPER_KEYSTORE)")
    .option("--password-file <file>", "password of the keystore (default: DEKUPER_PASSWORD_FILE, else asked)")
    .option("--as <account>", "account of the local network: consumer, provider1, operator1, ...")
    .option("--age-key <file>", "age key for outputs, instead of one derived from the wallet")
    .option(
      "--relay <url>",
      "have your transactions carried, for a fee in the payment token (default: DEKUPER_RELAY)",
    )
    .option("--max-relay-fee <amount>", "the most that a relay may ask for each transaction (default: 1)")
    .option("--json", "print one JSON value on stdout, errors too")
    .option("-y, --yes", "confirm what would be asked")
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => runtime.streams.stdout.write(text),
      // Usage errors are printed like all others; the help of a group is kept for whoever named only the group.
      writeErr: (text) => {
        runtime.help = text;
      },
    });
  registerAccountCommands(program, runtime);
  registerTaskCommands(program, runtime);
  registerNodeCommands(program, runtime);
  registerOracleCommands(program, runtime);
  registerRelay(program, runtime);
  const [first = ""] = argv === undefined ? [] : program.parseOptions([...argv.slice(2)]).operands;
  if (!LIGHT.has(first)) {
    const { registerNetworkCommands } = await import("./network/commands.ts");
    registerNetworkCommands(program);
  }
  return program;
}
