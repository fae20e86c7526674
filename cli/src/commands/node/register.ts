import { DekuperError, nodeEncryptionKey } from "@dekuper/protocol";
import type { Command } from "commander";
import { readKey } from "../../accounts.ts";
import { readAmount } from "../../amounts.ts";
import type { CommandContext } from "../../context.ts";
import { offerOf, type ProfileFlags } from "../../node-profile.ts";
import { formatAmount, formatCount, formatResources } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { measureCluster } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { stakeWithDeposit } from "./staking.ts";

interface RegisterFlags extends ProfileFlags {
  readonly config?: string;
  readonly operatorKey?: string;
  readonly operatorPasswordFile?: string;
  readonly stake?: string;
}

/** Where a node's cluster and keys are, from its configuration. */
interface NodeFiles {
  readonly operatorKey: string;
  readonly passwordFile: string | undefined;
  readonly cluster: { readonly kubeconfig: string; readonly helperImage: string } | undefined;
}

export function registerNodeRegister(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("register")
    .description("put a node on the map: the operator's key signs, the owner's key pays and stakes")
    .option(
      "--config <file>",
      "the node's configuration: names the operator's key, and the cluster to measure",
    )
    .option("--operator-key <file>", "the operator's keystore or private key, without --config")
    .option("--operator-password-file <file>", "password of that keystore")
    .option("--multiaddr <address...>", "where peers reach the node, such as /dns4/node.example/tcp/4001")
    .option("--gpus <count>", "GPUs to offer (default: what the cluster shows, as for all that follow)")
    .option("--gpu-model <name>", "NVIDIA's product label")
    .option("--gpu-memory <size>", "memory of one GPU, such as 80Gi")
    .option("--cpus <count>", "vCPUs to offer")
    .option("--memory <size>", "memory to offer, such as 64Gi")
    .option("--storage <size>", "storage to offer, such as 500Gi")
    .option("--isolation <class>", "container, user-namespace, sandbox or tee")
    .option("--region <name>", "where the node is")
    .option("--gpu-rate <amount>", "posted rate per GPU hour")
    .option("--cpu-rate <amount>", "posted rate per vCPU hour")
    .option("--stake <amount>", "how much to stake (default: what is needed)");
  handle<RegisterFlags>(command, runtime, async (context, _, flags): Promise<Answer> => {
    const market = await context.requireWallet("provider1");
    const token = await market.token();
    const files = await filesOf(context, flags);
    // What is wrong with the flags is said before a password is asked for.
    const offer = offerOf(flags, await measure(context, files), token);
    const operator = await readKey(files.operatorKey, files.passwordFile, context.out, context.signal);
    const profile = { ...offer, encryptionKey: nodeEncryptionKey(operator.privateKey) };
    context.progress.step("registering");
    const sent = await market.registerNode(operator.account, profile);
    const { required } = (await market.node(sent.node)).stake;
    const amount = flags.stake === undefined ? required : (await readAmount(market, flags.stake)).amount;
    const staked =
      amount === 0n
        ? []
        : [await stakeWithDeposit(context, market, market.address, sent.node, amount, token)];
    const { stake } = await market.node(sent.node);
    context.progress.clear();
    return {
      json: { node: sent.node, owner: market.address, profile, stake, transactions: [sent, ...staked] },
      print: (out) => {
        printFields(out, [
          ["node", out.bold(sent.node)],
          ["owner", market.address],
          ["offers", `${formatResources(profile)}, ${profile.isolation} isolation`],
          ["stake", `${formatAmount(stake.staked, token)} of ${formatAmount(stake.required, token)} needed`],
          [
            "transaction",
            `${sent.hash}  ${out.dim(`block ${sent.block}  gas ${formatCount(sent.gasUsed)}`)}`,
          ],
        ]);
        out.next(`dekuper oracle run --config ${flags.config ?? "FILE"}`, `dekuper node status ${sent.node}`);
      },
    };
  });
}

async function filesOf(context: CommandContext, flags: RegisterFlags): Promise<NodeFiles> {
  if (flags.config !== undefined) {
    const { loadConfig } = await import("@dekuper/oracle");
    const { keystore, passwordFile, kubeconfig, helperImage } = loadConfig(flags.config, context.env);
    const cluster = kubeconfig === undefined ? undefined : { kubeconfig, helperImage };
    return { operatorKey: keystore, passwordFile, cluster };
  }
  if (flags.operatorKey === undefined) {
    throw new DekuperError("USAGE", "Neither --config nor --operator-key is given.", {
      hint: "`dekuper node init` makes both.",
    });
  }
  return { operatorKey: flags.operatorKey, passwordFile: flags.operatorPasswordFile, cluster: undefined };
}

async function measure(context: CommandContext, { cluster }: NodeFiles) {
  return cluster === undefined ? undefined : measureCluster(context, cluster);
}
