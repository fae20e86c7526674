/** JSON with bigints as `{"$bigint":"…"}`; what the journal keeps must read back as what it was. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item) =>
    typeof item === "bigint" ? { $bigint: item.toString() } : item,
  );
}

export function fromJson<T>(text: string): T {
  return JSON.parse(text, (_key, item) =>
    typeof item === "object" && item !== null && typeof item.$bigint === "string"
      ? BigInt(item.$bigint)
      : item,
  ) as T;
}
