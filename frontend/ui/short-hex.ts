/** `0x1234…abcd`: enough to recognise, never enough to trust; the whole is a click away. */
export function shortHex(value: string): string {
  return `${value.slice(0, 6)}…${value.slice(-4)}`;
}
