import { type OracleConfigInput, oracleConfigSchema } from "@dekuper/oracle";
import { stringify } from "yaml";
import { z } from "zod";

/** A configuration with every setting explained: what is set as it is, the rest as comments with their defaults. */
export function configText(config: OracleConfigInput): string {
  const { properties = {} } = z.toJSONSchema(oracleConfigSchema, { io: "input", unrepresentable: "any" });
  const blocks = Object.entries(properties).map(([key, about]) => {
    const { description = "", default: initial } = about as { description?: string; default?: unknown };
    const set = config[key as keyof OracleConfigInput];
    const lines = set === undefined ? commented(key, initial) : stringify({ [key]: set }).trimEnd();
    return `# ${description}\n${lines}\n`;
  });
  return `# Dekuper oracle. Settings can be given in the environment too: DEKUPER_ORACLE_HTTP_PORT sets httpPort.\n\n${blocks.join("\n")}`;
}

function commented(key: string, initial: unknown): string {
  const text = initial === undefined ? `${key}:` : stringify({ [key]: initial }).trimEnd();
  return text.replace(/^/gm, "# ");
}
