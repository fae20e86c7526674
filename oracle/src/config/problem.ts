import type { z } from "zod";

/** What is wrong with a configuration: the first thing found. */
export interface ConfigProblem {
  /** `gas.dailyCap`; `(whole file)` where it is no group of settings at all. */
  readonly key: string;
  /** As JSON, shortened; what is secret, or stands under an unknown key, is never shown. */
  readonly got: string;
  readonly expected: string;
}

type Issue = z.core.$ZodIssue;

/** What is expected under a key that the schema does not have. */
export const NO_SUCH_KEY = "no such key";
const MAX_SHOWN = 200;

/** Turns a schema's first complaint about a content into key, got and expected. */
export function configProblem(
  issues: readonly Issue[],
  content: unknown,
  isSecret: (key: string) => boolean,
): ConfigProblem {
  const [first] = issues;
  if (first === undefined) return { key: "(whole file)", got: shown(content), expected: "something else" };
  const { path, expected } = deepest(first);
  if (first.code === "unrecognized_keys") {
    const key = [...path, first.keys[0]].join(".");
    return { key, got: "a value", expected: NO_SUCH_KEY };
  }
  const key = path.join(".");
  if (key === "") return { key: "(whole file)", got: shown(content), expected };
  return { key, got: isSecret(key) ? "[secret]" : shown(valueAt(content, path)), expected };
}

/** Of a choice between types, the alternative that came furthest; those that failed at once are all named. */
function deepest(issue: Issue): { path: PropertyKey[]; expected: string } {
  if (issue.code !== "invalid_union") return { path: issue.path, expected: plain(issue.message) };
  const inner = issue.errors.flatMap((branch) => branch.slice(0, 1).map(deepest));
  const furthest = inner.toSorted((left, right) => right.path.length - left.path.length)[0];
  if (furthest !== undefined && furthest.path.length > 0)
    return { path: [...issue.path, ...furthest.path], expected: furthest.expected };
  return { path: issue.path, expected: [...new Set(inner.map(({ expected }) => expected))].join(" or ") };
}

/** `Invalid input: expected string, received number` without what the rest of the sentence says already. */
function plain(message: string): string {
  return message
    .replace(/^[A-Z][a-z ]+: /, "")
    .replace(/^expected /, "")
    .replace(/, received .*$/, "");
}

function valueAt(content: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === "object" && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    content,
  );
}

function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value) ?? String(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text;
}
