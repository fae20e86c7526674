/**
 * Phrases with semicolons between them as indented lines of at most this width: a line ends between two phrases, within
 * one only where it alone is too long. One line where the width is not known.
 */
export function wrapped(phrases: readonly string[], indent: number, width: number | undefined): string[] {
  const room = width === undefined || width <= indent ? Number.POSITIVE_INFINITY : width - indent;
  const said = phrases.filter((phrase) => phrase !== "");
  const ended = said.map((phrase, at) => (at < said.length - 1 ? `${phrase};` : phrase));
  const pieces = ended.flatMap((phrase) => (phrase.length > room ? filled(phrase.split(" "), room) : phrase));
  return filled(pieces, room).map((line) => " ".repeat(indent) + line);
}

/** As many of the pieces as fit on each line. */
function filled(pieces: readonly string[], room: number): string[] {
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + piece.length <= room)
      lines[lines.length - 1] = `${last} ${piece}`;
    else lines.push(piece);
  }
  return lines;
}
