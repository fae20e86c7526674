import type { Command } from "commander";
import { readKey } from "../../accounts.ts";
import { readAmount } from "../../amounts.ts";
import type { CommandContext } from "../../context.ts";
import { encryptionKeyOf, type ProfileFlags, profileOf } from "../../node-profile.ts";
import { formatAmount, formatCount, formatResources } from "../../output/format.ts";
import { printFields } from "../../output/table.ts";
import { measureCluster } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { stakeWithDeposit } from "./staking.ts";

interface RegisterFlags extends ProfileFlags {
  readonly operatorKey: string;
  readonly operatorPasswordFile?: string;
  readonly kubeconfig?: string;
  readonly stake?: string;
}

export function registerNodeRegister(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("register")
    .description("put a node on the map: the operator's key signs, the owner's key pays and stakes")
    .requiredOption(
      "--operator-key <file>",
      "the operator's keystore or private key (`dekuper node init` makes one)",
    )
    .option("--operator-password-file <file>", "password of the operator's keystore")
    .option("--multiaddr <address...>", "where peers reach the node, such as /dns4/node.example/tcp/4001")
    .option("--kubeconfig <file>", "measure the cluster instead of giving its size")
    .option("--gpus <count>", "GPUs to offer")
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
    const operator = await readOperator(context, flags);
    const measured =
      flags.kubeconfig === undefined ? undefined : await measureCluster(context, flags.kubeconfig);
    const profile = profileOf(flags, measured, token, operator.encryptionKey);
    context.progress.step("registering");
    const sent = await market.registerNode(operator.account, profile);
    const { required } = (await market.node(sent.node)).stake;
    const amount = flags.stake === undefined ? required : (await readAmount(market, flags.stake)).amount;
    const staked =
      amount === 0n
        ? undefined
        : await stakeWithDeposit(context, market, market.address, sent.node, amount, token);
    const node = await market.node(sent.node);
    context.progress.clear();
    return {
      json: {
        node: sent.node,
        owner: market.address,
        profile,
        stake: node.stake,
        transactions: [sent, staked],
      },
      print: (out) => {
        printFields(out, [
          ["node", out.bold(sent.node)],
          ["owner", market.address],
          ["offers", `${formatResources(profile)}, ${profile.isolation} isolation`],
          [
            "stake",
            `${formatAmount(node.stake.staked, token)} of ${formatAmount(node.stake.required, token)} needed`,
          ],
          [
            "transaction",
            `${sent.hash}  ${out.dim(`block ${sent.block}  gas ${formatCount(sent.gasUsed)}`)}`,
          ],
        ]);
        out.next("dekuper oracle run --config FILE", `dekuper node status ${sent.node}`);
      },
    };
  });
}

async function readOperator(context: CommandContext, flags: RegisterFlags) {
  const { account, privateKey } = await readKey(
    flags.operatorKey,
    flags.operatorPasswordFile,
    context.out,
    context.signal,
  );
  return { account, encryptionKey: encryptionKeyOf(privateKey) };
}
