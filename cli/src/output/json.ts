/** One JSON value: amounts and block numbers are decimal strings, since JSON's numbers lose their last digits. */
export function toJson(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => {
      if (typeof inner === "bigint") return inner.toString();
      return inner instanceof Map ? Object.fromEntries(inner) : inner;
    },
    2,
  );
}
