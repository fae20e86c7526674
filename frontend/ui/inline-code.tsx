/** A sentence in which `commands` stand between backticks, as the SDK's hints write them. */
export function InlineCode({ text }: { text: string }) {
  return text.split("`").map((part, index) =>
    index % 2 === 1 ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence have no other name
      <code key={index}>{part}</code>
    ) : (
      part
    ),
  );
}
