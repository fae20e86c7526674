/** Longest path that a manifest or an input takes, bytes of UTF-8. */
export const MAX_PATH_BYTES = 1024;

/** Why a path is not allowed in a manifest or as an input, or undefined if it is (settled rule: relative UTF-8, no odd parts). */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "it is empty";
  if (new TextEncoder().encode(path).length > MAX_PATH_BYTES)
    return `it is longer than ${MAX_PATH_BYTES} bytes`;
  if (path.startsWith("/")) return "it is absolute";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(path)) return "it holds a control character";
  if (!path.isWellFormed() || path.includes("\ufffd")) return "it is not valid UTF-8";
  if (path.split("/").some((part) => part === "" || part === "." || part === ".."))
    return "it has an empty, `.` or `..` part";
  return undefined;
}
