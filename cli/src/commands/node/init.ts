import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import type { Command } from "commander";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import type { CommandContext } from "../../context.ts";
import { quoted } from "../../invocation.ts";
import { askPassword } from "../../output/prompt.ts";
import { printFields } from "../../output/table.ts";
import { helperImageOf } from "../../provider-tools.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";

interface InitFlags {
  readonly dir: string;
  readonly kubeconfig?: string;
  readonly helperImage?: string;
  readonly passwordFile?: string;
}

export function registerNodeInit(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("init")
    .description("make an operator key and a configuration with every setting explained")
    .option(
      "--helper-image <reference>",
      "a busybox by digest, host/name@sha256:…, that the cluster can pull (default: the network's)",
    )
    .option("--dir <folder>", "where to", "dekuper-node")
    .option("--kubeconfig <file>", "of the cluster (default: the pod's own service account)");
  handle<InitFlags>(command, runtime, async (context, _, flags): Promise<Answer> => {
    const [{ encryptKeystore, Secret, writeKeystore }, { configText }] = await Promise.all([
      import("@dekuper/oracle"),
      import("../../config-text.ts"),
    ]);
    const network = await context.network();
    const helperImage = await helperImageOf(context, flags.helperImage);
    const dir = resolve(flags.dir);
    const files = { keystore: join(dir, "operator.json"), config: join(dir, "oracle.yaml") };
    refuseToOverwrite(Object.values(files));
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const { password, passwordFile } = await choosePassword(context, flags, dir);
    const key = generatePrivateKey();
    const { address } = privateKeyToAccount(key);
    context.progress.step("encrypting the operator's key");
    const keystore = await encryptKeystore(new Secret(key), new Secret(password));
    await writeKeystore(files.keystore, keystore);
    const text = configText({
      network,
      stateDir: "state",
      keystore: "operator.json",
      helperImage,
      // Beside the configuration by name alone, so that the folder can be moved.
      ...(passwordFile === undefined ? {} : { passwordFile: relativeTo(dir, passwordFile) }),
      ...(flags.kubeconfig === undefined ? {} : { kubeconfig: resolve(flags.kubeconfig) }),
    });
    await writeFile(files.config, text, { mode: 0o600 });
    context.progress.clear();
    return {
      json: { node: address, ...files, passwordFile: passwordFile ?? null },
      print: (out) => {
        printFields(out, [
          ["node", out.bold(address)],
          ["operator's key", files.keystore],
          ["password", passwordFile ?? "the one you typed"],
          ["configuration", files.config],
        ]);
        out.line(
          out.dim(
            "The operator pays for its transactions: send it some of the chain's coin. Keep the keystore.",
          ),
        );
        out.next(
          `dekuper node doctor --config ${quoted(files.config)}`,
          `dekuper node register --config ${quoted(files.config)} --cpu-rate 0.05 --multiaddr /dns4/HOST/tcp/4001`,
        );
      },
    };
  });
}

/** The given one, a typed one, or without a terminal a random one in a file beside the keystore. */
async function choosePassword(
  context: CommandContext,
  flags: InitFlags,
  dir: string,
): Promise<{ password: string; passwordFile: string | undefined }> {
  if (flags.passwordFile !== undefined) {
    const path = resolve(flags.passwordFile);
    const text = await readFile(path, "utf8").catch((cause) => {
      throw new DekuperError("KEYSTORE_INVALID", `The password file ${path} cannot be read.`, { cause });
    });
    return { password: text.replace(/\r?\n$/, ""), passwordFile: path };
  }
  if (context.out.isInteractive) {
    const password = await askPassword(context.out, "Password for the operator's key:", context.signal);
    const again = await askPassword(context.out, "Again:", context.signal);
    if (password === "" || password !== again) {
      throw new DekuperError("KEYSTORE_INVALID", "The passwords are empty or differ.", {
        hint: "Run it again.",
      });
    }
    return { password, passwordFile: undefined };
  }
  const password = randomBytes(32).toString("base64url");
  const path = join(dir, "password");
  refuseToOverwrite([path]);
  await writeFile(path, `${password}\n`, { mode: 0o600, flag: "wx" });
  return { password, passwordFile: path };
}

function relativeTo(dir: string, path: string): string {
  return dirname(path) === dir ? basename(path) : path;
}

/** Keys and what belongs to them are written once. */
function refuseToOverwrite(paths: readonly string[]): void {
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) return;
  throw new DekuperError("PATH_INVALID", `${found} exists already; a key is never overwritten.`, {
    details: { path: found },
    hint: "Give another folder with --dir.",
  });
}
