import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DekuperError, type Network, networkSchema } from "@dekuper/protocol";
import { parse as parseYaml } from "yaml";
import { type OracleConfig, oracleConfigSchema } from "./schema.ts";
import { environmentName, isText } from "./settings.ts";

/** Reads a configuration file (YAML or JSON); the environment wins. `CONFIG_INVALID` names the key, what it got and what it takes. */
export function loadConfig(path: string, env: NodeJS.ProcessEnv = process.env): OracleConfig {
  let content: unknown;
  try {
    content = parseYaml(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new DekuperError(
      "CONFIG_INVALID",
      `${path} cannot be read: ${(cause as Error).message.split("\n")[0]}.`,
      { cause },
    );
  }
  const config = parseConfig({ ...(content as object), ...fromEnvironment(env) }, path);
  const base = dirname(resolve(path));
  const absolute = (file: string) => resolve(base, file);
  return {
    ...config,
    stateDir: absolute(config.stateDir),
    keystore: absolute(config.keystore),
    ...(config.passwordFile === undefined ? {} : { passwordFile: absolute(config.passwordFile) }),
    ...(config.kubeconfig === undefined ? {} : { kubeconfig: absolute(config.kubeconfig) }),
    network: typeof config.network === "string" ? absolute(config.network) : config.network,
  };
}

/** Checks a configuration. */
export function parseConfig(content: unknown, name = "configuration"): OracleConfig {
  const parsed = oracleConfigSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const unknownKey = issue?.code === "unrecognized_keys" ? issue.keys[0] : undefined;
  const key =
    [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])].join(".") || "(whole file)";
  const expected = unknownKey === undefined ? issue?.message.replace(/^Invalid input: /, "") : "no such key";
  throw new DekuperError("CONFIG_INVALID", `${name}: ${key}: ${expected}.`, { details: { key, expected } });
}

/** The network that a configuration names. */
export function networkOf(config: OracleConfig): Network {
  const content = typeof config.network === "string" ? readJson(config.network) : config.network;
  const parsed = networkSchema.safeParse(content);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new DekuperError("CONFIG_INVALID", `network: ${issue?.path.join(".")}: ${issue?.message}.`);
  }
  return parsed.data;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (cause) {
    throw new DekuperError("CONFIG_INVALID", `network: ${path} cannot be read as JSON.`, { cause });
  }
}

/** A setting that is a text is taken as it is: a password such as `12345` or `#a: b` is no YAML. */
function fromEnvironment(env: NodeJS.ProcessEnv): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(oracleConfigSchema.shape)) {
    const value = env[environmentName(key)];
    if (value === undefined) continue;
    found[key] = isText(setting) ? value : parseYaml(value);
  }
  return found;
}
