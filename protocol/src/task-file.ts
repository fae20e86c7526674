import { isAlias, isNode, LineCounter, parseDocument } from "yaml";
import { z } from "zod";
import { DekuperError } from "./errors.ts";
import { isolationClasses } from "./order.ts";
import { pathProblem } from "./path.ts";
import { MAX_ATTEMPTS, MAX_LEASES } from "./quote.ts";
import { RESERVED_ENV } from "./spec.ts";
import { templateNames } from "./templates.ts";
import { parseBytes, parseGpu, parseMiB, parseSeconds } from "./units.ts";

const reads = <T>(parse: (text: string) => T, example: string) =>
  z
    .string()
    .superRefine((text, context) => {
      try {
        parse(text);
      } catch {
        context.addIssue({ code: "custom", message: `expected ${example}` });
      }
    })
    .meta({ examples: [example.replace(/^.*such as /, "")] });

const whole = (least: number, most: number) => {
  const range = `expected a whole number from ${least} to ${most}`;
  return z.int(range).min(least, range).max(most, range);
};

const path = z
  .string()
  .refine((text) => pathProblem(text) === undefined, "expected a relative path without empty, . or .. parts");

const quorumSchema = z
  .strictObject({
    agree: whole(1, MAX_LEASES).describe("How many must have the same result: more than half."),
    of: whole(2, MAX_LEASES).describe("How many nodes run the task, each by itself."),
  })
  .describe(
    "Only those that agree are paid. Guards against independent error, not against an owner of several nodes.",
  );

/** `task.yaml`, in human units. */
export const taskFileSchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
        "expected lower-case letters, digits and -, at most 63",
      )
      .describe("What people see; lower-case letters, digits and -."),
    public: z
      .boolean()
      .optional()
      .describe(
        "true: every registered node can read spec and inputs. Default: only the nodes that get the task's key; such a task is ordered by quotes.",
      ),
    template: z
      .enum(templateNames)
      .optional()
      .describe("A common environment in one word. Default: container."),
    image: z
      .string()
      .optional()
      .describe(
        "host/name@sha256:…, host/name:tag (resolved before ordering) or a name that the network knows.",
      ),
    command: z
      .union([z.string().min(1), z.array(z.string()).min(1)])
      .optional()
      .describe("A list is run as it is; a text by sh -c."),
    env: z
      .union([z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])), z.array(z.string())])
      .optional()
      .describe(
        "NAME: value. A bare NAME takes its value from the environment of who submits; not in a public task.",
      ),
    resources: z
      .strictObject({
        gpu: z
          .union([
            z.int().min(0).max(1024),
            reads(parseGpu, "a GPU count with an optional model such as 8x NVIDIA-H100-80GB-HBM3"),
          ])
          .optional(),
        cpu: z.int().min(1).max(4096).optional().describe("vCPUs. Default: 1."),
        memory: reads(parseMiB, "memory such as 64Gi").optional(),
        storage: reads(parseMiB, "storage such as 10Gi").optional(),
        isolation: z
          .enum(isolationClasses)
          .optional()
          .describe("The least that will do. Default: container."),
        duration: reads(parseSeconds, "a duration such as 6h").describe("Longest run; pay stops there."),
      })
      .describe("What each node gives the task."),
    nodes: whole(1, MAX_LEASES)
      .optional()
      .describe(`How many nodes run it together, each one member of a gang. Default: 1.`),
    attempts: whole(1, MAX_ATTEMPTS)
      .optional()
      .describe(
        "How often a member may be given to a node in all; 1: no failover. Default: 3 where nodes quote, 1 on the open path.",
      ),
    failover: reads(parseSeconds, "a duration such as 2m")
      .optional()
      .describe("How long a node may be offline before another may have its place."),
    inputs: z
      .array(z.strictObject({ from: z.string().min(1), to: path.optional() }))
      .max(1024)
      .optional()
      .describe("Files or folders beside the task file; they appear under /input."),
    output: z
      .strictObject({ maxSize: reads(parseBytes, "a size such as 1Gi").optional() })
      .optional()
      .describe("What the task writes to /output comes back encrypted to you."),
    budget: z
      .union([z.string(), z.number()])
      .optional()
      .describe("Most that the task may cost, all nodes together, such as 40 USDC."),
    fund: reads(parseSeconds, "a duration such as 1h")
      .optional()
      .describe(
        "How much of the duration is reserved for at first; `dekuper task top-up` adds to it. Default: all of it.",
      ),
    rate: z
      .union([z.string(), z.number()])
      .optional()
      .describe(
        "Rate an hour of one node, such as 2 USDC: the most that a quote may ask, or what is paid on the open path. Default: as nodes post.",
      ),
    openFor: reads(parseSeconds, "a duration such as 10m").optional().describe("How long nodes may accept."),
    startWithin: reads(parseSeconds, "a duration such as 10m")
      .optional()
      .describe("How long a node may take from accept to start."),
    verification: z
      .union([z.enum(["signed"]), z.strictObject({ quorum: quorumSchema })], {
        error: "expected signed, or quorum: {agree: 2, of: 3}",
      })
      .optional()
      .describe(
        "signed: the node signs its result. quorum: so many of so many nodes, each of another owner, must have the same result. Default: signed.",
      ),
  })
  .describe("A Dekuper task.");

export type TaskFile = z.infer<typeof taskFileSchema>;

/** The published JSON Schema of `task.yaml`, for editors. */
export function taskFileJsonSchema(): Record<string, unknown> {
  return { ...z.toJSONSchema(taskFileSchema, { io: "input" }), title: "Dekuper task.yaml" };
}

/** One thing wrong in a task file. */
export interface TaskFileProblem {
  readonly line: number;
  readonly field: string;
  readonly got: string;
  readonly expected: string;
}

/** Reads a task.yaml. Throws `TASK_FILE_INVALID` (or a more exact code) naming line, field, what it got and what it takes. */
export function parseTaskFile(text: string, fileName = "task.yaml"): TaskFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: false });
  const lineOf = (keys: readonly PropertyKey[]): number => {
    for (let depth = keys.length; depth >= 0; depth--) {
      const node = document.getIn(keys.slice(0, depth), true);
      if (isNode(node) && !isAlias(node) && node.range) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const syntax = document.errors[0];
  if (syntax !== undefined) {
    const line = syntax.linePos?.[0].line ?? 1;
    throw invalid(fileName, [
      { line, field: "(YAML)", got: firstLine(syntax.message), expected: "valid YAML" },
    ]);
  }
  const value: unknown = document.toJS({ maxAliasCount: 10 });
  const parsed = taskFileSchema.safeParse(value);
  if (!parsed.success) {
    throw invalid(
      fileName,
      parsed.error.issues.map((issue) => {
        const keys = issue.code === "unrecognized_keys" ? [...issue.path, issue.keys[0] ?? ""] : issue.path;
        const got = valueAt(value, keys);
        return {
          line: lineOf(keys),
          field: keys.join(".") || "(whole file)",
          got: got === undefined ? "nothing" : firstLine(JSON.stringify(got)),
          expected:
            issue.code === "unrecognized_keys"
              ? "no such field"
              : issue.message.replace(/^Invalid input: /, "").replace(/^expected /, ""),
        };
      }),
    );
  }
  const file = parsed.data;
  refuseEnv(file, lineOf, fileName);
  if (file.fund !== undefined && parseSeconds(file.fund) > parseSeconds(file.resources.duration)) {
    throw invalid(fileName, [
      {
        line: lineOf(["fund"]),
        field: "fund",
        got: JSON.stringify(file.fund),
        expected: `at most resources.duration, ${file.resources.duration}`,
      },
    ]);
  }
  const misfit = quorumProblem(file);
  if (misfit !== undefined) {
    const line = lineOf(misfit.keys);
    throw invalid(fileName, [{ ...misfit, line, field: misfit.keys.join(".") }]);
  }
  return file;
}

/** What of a quorum does not go together; undefined: nothing, or it is none. */
function quorumProblem(file: TaskFile): { keys: string[]; got: string; expected: string } | undefined {
  const quorum = quorumOf(file);
  if (quorum === undefined) return undefined;
  const { agree, of } = quorum;
  if (2 * agree <= of || agree > of)
    return {
      keys: ["verification", "quorum", "agree"],
      got: `${agree}`,
      expected: `more than half of ${of}, and at most ${of}`,
    };
  if (file.nodes !== undefined && file.nodes !== of)
    return {
      keys: ["nodes"],
      got: `${file.nodes}`,
      expected: `${of}, as verification.quorum.of says, or nothing`,
    };
  if (file.attempts !== undefined && file.attempts !== 1)
    return {
      keys: ["attempts"],
      got: `${file.attempts}`,
      expected: "1 or nothing: a lost replica counts against its quorum",
    };
  return undefined;
}

/** How many of how many results must be alike; undefined: the task is no quorum's. */
export function quorumOf(file: Pick<TaskFile, "verification">): { agree: number; of: number } | undefined {
  const { verification } = file;
  return typeof verification === "object" ? verification.quorum : undefined;
}

function refuseEnv(file: TaskFile, lineOf: (keys: readonly PropertyKey[]) => number, fileName: string): void {
  if (Array.isArray(file.env) && file.public === true) {
    for (const [index, item] of file.env.entries()) {
      if (item.includes("=")) continue;
      throw new DekuperError(
        "SECRET_IN_PUBLIC_SPEC",
        `${fileName}:${lineOf(["env", index])}: env.${item}: got a bare name, expected NAME=value: every registered node could read the secret.`,
        { details: { line: lineOf(["env", index]), field: `env.${item}` } },
      );
    }
  }
  const names = Array.isArray(file.env)
    ? file.env.map((item) => item.split("=")[0] ?? "")
    : Object.keys(file.env ?? {});
  for (const [index, name] of names.entries()) {
    const line = lineOf(["env", Array.isArray(file.env) ? index : name]);
    if (RESERVED_ENV.test(name)) {
      throw new DekuperError(
        "ENV_RESERVED",
        `${fileName}:${line}: env.${name}: Dekuper sets this variable itself.`,
        {
          details: { line, field: `env.${name}` },
        },
      );
    }
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw invalid(fileName, [
        { line, field: `env.${name}`, got: JSON.stringify(name), expected: "a variable name" },
      ]);
    }
  }
}

/**
 * The task file's environment as names and values; a bare name's value is `own`'s, the environment of who submits. Throws
 * `ENV_MISSING` for one that is not set there.
 */
export function environmentOf(
  file: TaskFile,
  own: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  if (!Array.isArray(file.env)) {
    return Object.fromEntries(Object.entries(file.env ?? {}).map(([name, value]) => [name, String(value)]));
  }
  return Object.fromEntries(
    file.env.map((item) => {
      const at = item.indexOf("=");
      if (at >= 0) return [item.slice(0, at), item.slice(at + 1)] as const;
      const value = Object.hasOwn(own, item) ? own[item] : undefined;
      if (value !== undefined) return [item, value] as const;
      throw new DekuperError(
        "ENV_MISSING",
        `env.${item}: got a bare name, expected ${item} to be set in your environment.`,
        { details: { field: `env.${item}` } },
      );
    }),
  );
}

function valueAt(value: unknown, keys: readonly PropertyKey[]): unknown {
  return keys.reduce<unknown>(
    (at, key) =>
      typeof at === "object" && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  );
}

function invalid(fileName: string, problems: readonly TaskFileProblem[]): DekuperError {
  const shown = problems
    .slice(0, 5)
    .map((p) => `${fileName}:${p.line}: ${p.field}: got ${p.got}, expected ${p.expected}`);
  const first = problems[0];
  return new DekuperError("TASK_FILE_INVALID", shown.join("\n"), {
    details: { line: first?.line, field: first?.field, got: first?.got, expected: first?.expected },
  });
}

function firstLine(text: string): string {
  const line = text.split("\n")[0] ?? "";
  return line.length > 120 ? `${line.slice(0, 117)}...` : line;
}
