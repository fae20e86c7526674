import { readdir, readFile } from "node:fs/promises";
import { catalogue, type ErrorEntry } from "../../protocol/src/error-catalogue.ts";
import { type GeneratedFile, pageHeader, pathOf } from "./generated-file.ts";

/** Where errors arise, by what people call the part. */
const parts: readonly (readonly [part: string, folders: readonly string[]])[] = [
  ["what all parts share", ["protocol/src"]],
  ["the SDK of command and dApp", ["client/src"]],
  ["the command", ["cli/src"]],
  ["the dApp", ["frontend/app", "frontend/features", "frontend/ui"]],
  ["the oracle", ["oracle/src"]],
  ["set-up", ["scripts/setup.mjs"]],
];

/** `docs/errors.md`: one heading a code, so that a code is also an anchor. */
export const errorsPage: GeneratedFile = {
  path: "docs/errors.md",
  async render() {
    const sources = await Promise.all(
      parts.map(async ([part, folders]) => [part, await textOf(folders)] as const),
    );
    const sections = Object.entries(catalogue).map(([code, entry]) => {
      const named = new RegExp(`\\b${code}\\b`);
      const origins = sources.filter(([, text]) => named.test(text)).map(([part]) => part);
      if (origins.length === 0) throw new Error(`${code} is in the catalogue and arises nowhere`);
      return section(code, entry, origins);
    });
    return `${pageHeader("Errors", "protocol/src/error-catalogue.ts")}
Everything that runs fails with one of these codes, a sentence, the values that decided and a hint. The command prints
them on stderr, and with \`--json\` as one JSON value on stdout:
\`{ "error": { "code", "message", "details", "hint", "retryable" } }\`. Its exit code is 2 for \`USAGE\`, 130 after Ctrl-C, else 1.
\`DEKUPER_DEBUG=1\` adds where it happened.

${sections.join("\n\n")}
`;
  },
};

function section(code: string, { title, hint, retryable }: ErrorEntry, origins: readonly string[]): string {
  const waiting = retryable ? "may help: the same call can succeed later." : "does not help.";
  return `## ${code}

${title}.

- **What to do:** ${hint}
- **Waiting** ${waiting}
- **Arises in** ${origins.join(", ")}.`;
}

/** All source under the folders but the catalogue itself. */
async function textOf(folders: readonly string[]): Promise<string> {
  const files = await Promise.all(folders.map(sourcesIn));
  const texts = await Promise.all(
    files
      .flat()
      .filter((file) => !file.endsWith("/error-catalogue.ts"))
      .map((file) => readFile(file, "utf8")),
  );
  return texts.join("\n");
}

async function sourcesIn(path: string): Promise<string[]> {
  const at = pathOf(path);
  if (/\.\w+$/.test(path)) return [at];
  const entries = await readdir(at, { recursive: true });
  return entries.filter((entry) => /\.tsx?$/.test(entry)).map((entry) => `${at}/${entry}`);
}
