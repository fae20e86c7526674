import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const root = new URL("../../", import.meta.url);

/** A file that follows from the code: nobody edits it by hand. */
export interface GeneratedFile {
  /** From the repository's folder. */
  readonly path: string;
  /** What must be in it. `present` is what is in it now, for files of which only parts are generated. */
  render(present: string): Promise<string> | string;
}

/** The line under a generated page's title. */
export function pageHeader(title: string, source: string): string {
  return `# ${title}\n\n<!-- Written by \`npm run generate\` out of ${source}. Do not edit. -->\n`;
}

/** A table; `|` in a cell is text. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)].join("\n");
}

export const pathOf = (path: string): string => fileURLToPath(new URL(path, root));
