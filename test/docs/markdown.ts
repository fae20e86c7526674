import { posix } from "node:path";

export interface Page {
  /** From the repository's folder. */
  readonly path: string;
  readonly text: string;
}

export interface Link {
  /** As it is written. */
  readonly target: string;
  /** The file or folder that it means, from the repository's folder. */
  readonly path: string;
  readonly heading?: string;
}

/** A page without its blocks of code. */
export function prose({ text }: Page): string {
  return text.replace(/^(```|~~~)[\s\S]*?^\1\s*$/gm, "");
}

/** Every relative link and picture of a page. */
export function linksOf(page: Page): readonly Link[] {
  const text = prose(page).replace(/`[^`\n]*`/g, "");
  const inline = [...text.matchAll(/\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g)];
  const references = [...text.matchAll(/^\[[^\]]+\]:\s*<?([^\s>]+)>?/gm)];
  return [...inline, ...references]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z][a-z+.-]*:/i.test(target))
    .map((target) => {
      const [path = "", heading] = target.split("#");
      const from = posix.dirname(page.path);
      const meant = path === "" ? page.path : posix.normalize(posix.join(from, decodeURIComponent(path)));
      return { target, path: meant.replace(/\/$/, ""), ...(heading === undefined ? {} : { heading }) };
    });
}

/** The names that a page's headings have in links: as GitHub makes them. */
export function headingsOf(page: Page): ReadonlySet<string> {
  const seen = new Map<string, number>();
  return new Set(
    [...prose(page).matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, title = ""]) => {
      const name = title
        .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
        .replaceAll(" ", "-");
      const before = seen.get(name) ?? 0;
      seen.set(name, before + 1);
      return before === 0 ? name : `${name}-${before}`;
    }),
  );
}
