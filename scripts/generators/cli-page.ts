import type { Command, Option } from "commander";
import { buildProgram } from "../../cli/src/program.ts";
import { type GeneratedFile, pageHeader, table } from "./generated-file.ts";

/** `docs/cli.md`: every command with its arguments and options, from the program itself. */
export const cliPage: GeneratedFile = {
  path: "docs/cli.md",
  async render() {
    const { stdout, stderr, stdin } = process;
    const program = await buildProgram({
      streams: { stdout, stderr, stdin },
      env: {},
      signal: AbortSignal.abort(),
      exitCode: 0,
      help: "",
    });
    const commands = leavesOf(program, []);
    return `${pageHeader("The command", "cli/src/program.ts")}
In this repository \`npm run -s dekuper -- account show\` runs \`dekuper account show\`, and brings Node and packages first where they are missing.

Results go to stdout, progress and questions to stderr. With \`--json\` a command prints exactly one JSON value on stdout, errors too;
amounts are base units as strings. Nothing is asked where there is no terminal: \`--yes\` must say it. Exit codes: 0 done, 1 failed,
2 not a command line, 130 stopped by Ctrl-C. [errors.md](errors.md) explains every error.

${table(
  ["Command", "What it does"],
  commands.map(({ name, command }) => [`[${name}](#${anchorOf(name)})`, sentence(command.description())]),
)}

## Options of every command

${optionTable(program.options.filter(({ long }) => long !== "--version"))}

A key is looked for in this order: \`--key-file\`, \`--keystore\`, \`--as\`, \`DEKUPER_PRIVATE_KEY\`, \`DEKUPER_KEYSTORE\`; on the local network the
consumer's (or for \`node\` the first provider's) serves when none is given.

${commands.map(section).join("\n\n")}
`;
  },
};

interface Leaf {
  readonly name: string;
  readonly command: Command;
}

/** The commands that do something, by their full names. */
function leavesOf(command: Command, path: readonly string[]): Leaf[] {
  return command.commands.flatMap((child): Leaf[] => {
    const name = [...path, child.name()];
    return child.commands.length > 0
      ? leavesOf(child, name)
      : [{ name: `dekuper ${name.join(" ")}`, command: child }];
  });
}

function section({ name, command }: Leaf): string {
  const options = command
    .createHelp()
    .visibleOptions(command)
    .filter(({ long }) => long !== "--help");
  const args = command.registeredArguments.map((arg) => {
    const name = `${arg.name()}${arg.variadic ? "..." : ""}`;
    return { term: arg.required ? `<${name}>` : `[${name}]`, description: arg.description };
  });
  const usage = [name, ...(options.length > 0 ? ["[options]"] : []), ...args.map(({ term }) => term)].join(
    " ",
  );
  const argTable = table(
    ["Argument", "What it is"],
    args.map(({ term, description }) => [`\`${term}\``, plain(description)]),
  );
  return [
    `## ${name}`,
    sentence(command.description()),
    `\`\`\`sh\n${usage}\n\`\`\``,
    ...(args.length > 0 ? [argTable] : []),
    ...(options.length > 0 ? [optionTable(options)] : []),
  ].join("\n\n");
}

function optionTable(options: readonly Option[]): string {
  return table(
    ["Option", "What it does"],
    options.map((option) => [
      `\`${option.flags}\``,
      `${option.mandatory ? "*Needed.* " : ""}${plain(option.description)}${defaultOf(option)}`,
    ]),
  );
}

function defaultOf({ defaultValue, defaultValueDescription, negate }: Option): string {
  if (defaultValue === undefined || negate) return "";
  return ` (default: ${defaultValueDescription ?? String(defaultValue)})`;
}

/** Help as written: `<` opens no tag. */
function plain(text: string): string {
  return text.replaceAll("<", "\\<");
}

function sentence(text: string): string {
  return `${text[0]?.toUpperCase() ?? ""}${text.slice(1)}.`;
}

/** As GitHub makes them of headings. */
function anchorOf(name: string): string {
  return name.toLowerCase().replaceAll(" ", "-");
}
