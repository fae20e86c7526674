/**
 * Draws what a command prints as an SVG: `some-command 2>&1 | node scripts/terminal-picture.ts TITLE > docs/images/terminal.svg`.
 * Knows the colours that node's util.styleText writes; everything else is plain text.
 */
import { text as readAll } from "node:stream/consumers";

const COLOURS: Readonly<Record<string, string>> = {
  "31": "#ff7b72",
  "32": "#7ee787",
  "33": "#e3b341",
  "34": "#79c0ff",
  "35": "#d2a8ff",
  "36": "#76e3ea",
  "90": "#8b949e",
};
const CELL = { width: 8.4, height: 19 };
const escapeXml = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const title = process.argv[2] ?? "";
const lines = (await readAll(process.stdin)).replaceAll("\r", "").trimEnd().split("\n");
// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences begin with one
const SGR = /\u001b\[([\d;]*)m/g;
const columns = Math.max(80, ...lines.map((line) => line.replaceAll(SGR, "").length));
const width = Math.round(columns * CELL.width + 32);
const height = lines.length * CELL.height + 64;

function lineToSvg(line: string, row: number): string {
  let colour = "#e6edf3";
  let bold = false;
  let column = 0;
  const spans = line.split(SGR).map((part, index) => {
    if (index % 2 === 1) {
      for (const code of part.split(";")) {
        if (code === "0" || code === "39" || code === "") colour = "#e6edf3";
        if (code === "0" || code === "22") bold = false;
        if (code === "1") bold = true;
        colour = COLOURS[code] ?? colour;
      }
      return "";
    }
    const x = 16 + column * CELL.width;
    column += part.length;
    if (part.trim() === "") return "";
    return `<tspan x="${x.toFixed(1)}" fill="${colour}"${bold ? ' font-weight="600"' : ""}>${escapeXml(part)}</tspan>`;
  });
  return `<text y="${56 + row * CELL.height}" xml:space="preserve">${spans.join("")}</text>`;
}

console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" role="img" aria-label="${escapeXml(title)}">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<text x="16" y="24" fill="#8b949e" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="13">$ ${escapeXml(title)}</text>
<g font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">
${lines.map(lineToSvg).join("\n")}
</g>
</svg>`);
