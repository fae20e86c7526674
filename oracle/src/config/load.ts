import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DekuperError, type Network, networkSchema } from "@dekuper/protocol";
import { parse as parseYaml } from "yaml";
import { type ConfigProblem, configProblem, NO_SUCH_KEY } from "./problem.ts";
import { type OracleConfig, oracleConfigSchema } from "./schema.ts";
import { environmentName, isText, oracleSettings } from "./settings.ts";

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
  const settings = isGroup(content) ? { ...content, ...fromEnvironment(env) } : content;
  const config = parseConfig(settings, path);
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

/** An empty file is a group without settings: all may stand in the environment. */
function isGroup(content: unknown): content is object | null {
  return typeof content === "object" && !Array.isArray(content);
}

/** Checks a configuration. */
export function parseConfig(content: unknown, name = "configuration"): OracleConfig {
  const parsed = oracleConfigSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw invalid(name, configProblem(parsed.error.issues, content, isSecret));
}

/** The network that a configuration names. */
export function networkOf(config: OracleConfig): Network {
  const content = typeof config.network === "string" ? readJson(config.network) : config.network;
  const parsed = networkSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  throw invalid(
    "network",
    configProblem(parsed.error.issues, content, () => false),
  );
}

function invalid(name: string, { key, got, expected }: ConfigProblem): DekuperError {
  const problem = expected === NO_SUCH_KEY ? "there is no such key" : `got ${got}, expected ${expected}`;
  return new DekuperError("CONFIG_INVALID", `${name}: ${key}: ${problem}.`, {
    details: { key, got, expected },
  });
}

function isSecret(key: string): boolean {
  return oracleSettings().some((setting) => setting.key === key && setting.secret);
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
    found[key] = isText(setting) ? value : yamlOf(value, key);
  }
  return found;
}

function yamlOf(text: string, key: string): unknown {
  try {
    return parseYaml(text);
  } catch (cause) {
    throw new DekuperError("CONFIG_INVALID", `${environmentName(key)}: got ${text}, expected YAML.`, {
      details: { key, got: text, expected: "YAML" },
      cause,
    });
  }
}
