import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Hex } from "viem";
import { startDapp } from "./dapp.ts";
import { runDemo, type Sample, samples } from "./demo/demo.ts";
import { printDemo } from "./demo/print.ts";
import { stopNetwork } from "./down.ts";
import { type Progress, terminalProgress } from "./output.ts";
import { committeeWords } from "./seats.ts";
import { defaultStateDir, NetworkState } from "./state.ts";
import { networkStatus } from "./status.ts";
import { startNetwork, type UpOptions } from "./up.ts";
import { watchNetwork } from "./watch.ts";

interface NetworkFlags {
  state?: string;
  providers?: number;
  rpcUrl?: string;
  deployerKey?: Hex;
  kubeconfig?: string[];
  helperImage?: string;
  image?: string;
  json?: boolean;
}

/** Adds `up`, `down`, `status`, `demo` and `start` to the program. */
export function registerNetworkCommands(program: Command): void {
  withNetworkFlags(program.command("up"))
    .description("start a local network: chain, contracts, providers with real Kubernetes")
    .option("--torch", "import the torch image too")
    .option("--dapp", "serve the dApp")
    .action(async (_, command: Command) => {
      const flags = flagsOf<NetworkFlags & { torch?: boolean; dapp?: boolean }>(command);
      const { state, options } = upOptions(flags, flags.torch === true, terminalProgress());
      const { record } = await interruptible(
        (signal) => startNetwork({ ...options, signal }),
        state,
        options.progress,
      );
      const dappUrl = flags.dapp === true ? await startDapp(state, options.progress) : undefined;
      if (flags.json)
        return print({ network: state.networkFile, rpcUrl: record.network.rpcUrls[0], dappUrl });
      process.stdout.write(`\nnext: dekuper task submit examples/hello/task.yaml\nstop: dekuper down\n`);
    });

  program
    .command("down")
    .description("stop the local network and remove everything that it made")
    .option("--state <dir>", "state folder (default: the user's)")
    .action(async (_, command: Command) => {
      const flags = flagsOf<NetworkFlags>(command);
      const result = await stopNetwork(
        new NetworkState(flags.state ?? defaultStateDir()),
        terminalProgress(),
      );
      if (flags.json) return print(result);
      if (!result.stopped) process.stdout.write("Nothing runs.\n");
    });

  program
    .command("status")
    .description("show what runs of the local network")
    .option("--state <dir>", "state folder (default: the user's)")
    .action(async (_, command: Command) => {
      const flags = flagsOf<NetworkFlags>(command);
      const status = await networkStatus(new NetworkState(flags.state ?? defaultStateDir()));
      if (flags.json) return print(status);
      if (status.processes.length === 0)
        return void process.stdout.write("Nothing runs. Start with `dekuper up`.\n");
      for (const { name, pid, alive, log } of status.processes) {
        process.stdout.write(
          `${name.padEnd(20)} ${alive ? "running" : "ended"}  pid ${String(pid).padEnd(8)} ${log}\n`,
        );
      }
      const { providers, committee } = status;
      for (const { name, node, cluster, oracle, seat } of providers) {
        const says = `oracle ${oracle === undefined ? "silent" : "answers"}`;
        const sits = seat === undefined || seat === "none" ? "" : `  ${seat}`;
        process.stdout.write(`${name.padEnd(20)} ${cluster.padEnd(8)} ${says}  ${node}${sits}\n`);
      }
      const committeeSays =
        committee === undefined
          ? "unknown: the chain does not answer"
          : committeeWords(committee, providers.length);
      process.stdout.write(`${"committee".padEnd(20)} ${committeeSays}\n`);
    });

  withNetworkFlags(program.command("demo"))
    .description("run one sample task on a fresh local network, print the result, take everything down")
    .addOption(
      new Option("--sample <name>", "train (torch) or hello (busybox)")
        .choices(Object.keys(samples))
        .default("train"),
    )
    .option("--task <file>", "another task file")
    .option("--quoted", "find the node by signed quotes, and award the task in one transaction")
    .option("--keep", "leave the network up until `dekuper down`")
    .action(async (_, command: Command) => {
      const flags = flagsOf<
        NetworkFlags & { sample: Sample; task?: string; quoted?: boolean; keep?: boolean }
      >(command);
      const progress = terminalProgress();
      const ownState =
        flags.state ??
        (flags.keep ? defaultStateDir() : join(tmpdir(), `dekuper-network-${randomUUID().slice(0, 8)}`));
      const { state, options } = upOptions({ ...flags, state: ownState }, flags.sample === "train", progress);
      const result = await interruptible(
        async (signal) => {
          const keepFinishedPods = flags.keep === true;
          const { record } = await startNetwork({ ...options, keepFinishedPods, signal });
          const { sample, task: taskFile, quoted } = flags;
          return runDemo(record, { sample, taskFile, quoted, progress, signal });
        },
        state,
        progress,
        flags.keep !== true,
      ).finally(() => {
        if (flags.state === undefined && !flags.keep) state.remove();
      });
      if (flags.json) return print(result);
      await printDemo(result);
      if (flags.keep) process.stdout.write("\nThe network is still up. stop: npm run down\n");
    });

  withNetworkFlags(program.command("start"))
    .description("the whole market on this machine with the dApp and a sample task, until Ctrl-C")
    .action(async (_, command: Command) => {
      const flags = flagsOf<NetworkFlags>(command);
      const { state, options } = upOptions(flags, true, terminalProgress());
      await interruptible(
        async (signal) => {
          const { record } = await startNetwork({ ...options, signal });
          const [url, result] = await Promise.all([
            startDapp(state, options.progress, signal),
            runDemo(record, { sample: "train", progress: options.progress, signal }),
          ]);
          await printDemo(result);
          process.stdout.write(`\nOpen ${url}\nCtrl-C stops everything.\n`);
          await watchNetwork(state, options.progress, signal);
        },
        state,
        options.progress,
        true,
      );
    });
}

function withNetworkFlags(command: Command): Command {
  return command
    .option("--state <dir>", "state folder (default: the user's)")
    .option(
      "--providers <n>",
      "how many embedded clusters; from 4 on, their nodes bid for the committee's seats",
      wholeCount,
    )
    .option("--rpc-url <url>", "an existing dev chain instead of a local one; with --deployer-key")
    .option("--deployer-key <hex>", "key that deploys and funds on that chain")
    .option("--kubeconfig <file...>", "existing clusters instead of embedded ones, one provider each")
    .option("--image <reference>", "with --kubeconfig: the sample's image, host/name@sha256:…")
    .option("--helper-image <reference>", "with --kubeconfig: a busybox, host/name@sha256:…");
}

function wholeCount(text: string): number {
  if (/^[1-9]\d?$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number from 1 to 99.");
}

/** The program's global flags count too (`--json`). */
function flagsOf<Flags>(command: Command): Flags {
  return command.optsWithGlobals() as Flags;
}

function upOptions(
  flags: NetworkFlags,
  torch: boolean,
  progress: Progress,
): { state: NetworkState; options: UpOptions } {
  if ((flags.rpcUrl === undefined) !== (flags.deployerKey === undefined)) {
    throw new DekuperError("USAGE", "--rpc-url and --deployer-key go together.");
  }
  for (const kubeconfig of flags.kubeconfig ?? []) {
    if (!existsSync(kubeconfig))
      throw new DekuperError("USAGE", `--kubeconfig: there is no file ${kubeconfig}.`);
  }
  const state = new NetworkState(flags.state ?? defaultStateDir());
  const options: UpOptions = {
    state,
    progress,
    images: torch ? ["busybox", "torch"] : ["busybox"],
    rpcUrl: flags.rpcUrl,
    deployerKey: flags.deployerKey,
    kubeconfigs: flags.kubeconfig,
    helperImage: flags.helperImage,
    ...(flags.providers === undefined ? {} : { providers: flags.providers }),
    ...(flags.image === undefined
      ? {}
      : { imageNames: { torch: flags.image, busybox: flags.helperImage ?? flags.image } }),
  };
  return { state, options };
}

/** Runs `work` until it is done or a signal comes; then, or if `stopAfter`, takes the network down. */
async function interruptible<T>(
  work: (signal: AbortSignal) => Promise<T>,
  state: NetworkState,
  progress: Progress,
  stopAfter = false,
): Promise<T> {
  const controller = new AbortController();
  const interrupt = () => controller.abort(new DekuperError("TIMED_OUT", "Interrupted."));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    if (controller.signal.aborted) process.exitCode = 130;
    throw error;
  } finally {
    if (stopAfter || controller.signal.aborted) await stopNetwork(state, progress);
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

function print(value: unknown): void {
  process.stdout.write(
    `${JSON.stringify(value, (_, item) => (typeof item === "bigint" ? item.toString() : item))}\n`,
  );
}
