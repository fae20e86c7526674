import { z } from "zod";
import { oracleConfigSchema } from "./schema.ts";

/** Environment variables start with it. */
const PREFIX = "DEKUPER_ORACLE_";

/** One setting as its schema describes it, for `--help` and docs/oracle-config.md. */
export interface OracleSetting {
  /** `gas.dailyCap` for one of a group. */
  readonly key: string;
  readonly type: string;
  readonly required: boolean;
  /** As JSON; undefined: there is none. */
  readonly default: string | undefined;
  readonly description: string;
  readonly secret: boolean;
  /** The variable that sets it, or the group that holds it. */
  readonly environment: string;
}

/** Of JSON Schema, what zod makes of the configuration's. */
interface Described {
  readonly description?: string;
  readonly default?: unknown;
  readonly type?: string;
  readonly items?: Described;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Described[];
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
  readonly secret?: boolean;
}

/** The variable that sets a setting: `httpPort` -> `DEKUPER_ORACLE_HTTP_PORT`. */
export function environmentName(key: string): string {
  return `${PREFIX}${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** Every setting, in the schema's order; a group's are listed one by one. */
export function oracleSettings(): readonly OracleSetting[] {
  const { properties = {}, required = [] } = describe(oracleConfigSchema);
  return Object.entries(properties).flatMap(([key, setting]) =>
    setting.properties === undefined
      ? [settingOf(key, setting, key, required.includes(key))]
      : Object.entries(setting.properties).map(([inner, its]) =>
          settingOf(`${key}.${inner}`, its, key, false),
        ),
  );
}

/** Whether a setting is a text and nothing else. */
export function isText(setting: z.ZodType): boolean {
  return describe(setting).type === "string";
}

function describe(schema: z.ZodType): Described {
  return z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Described;
}

function settingOf(key: string, setting: Described, top: string, required: boolean): OracleSetting {
  return {
    key,
    type: typeOf(setting),
    required,
    default: setting.default === undefined ? undefined : JSON.stringify(setting.default),
    description: setting.description ?? "",
    secret: setting.secret === true,
    environment: environmentName(top),
  };
}

function typeOf(setting: Described): string {
  if (setting.anyOf) return [...new Set(setting.anyOf.map(typeOf))].join(" or ");
  if (setting.const !== undefined) return String(setting.const);
  if (setting.enum) return setting.enum.join(", ");
  switch (setting.type) {
    case "array":
      return "list of texts";
    case "object":
      return "group";
    case "integer":
      return "whole number";
    case "boolean":
      return "true or false";
    case "number":
      return "number";
    default:
      return "text";
  }
}
