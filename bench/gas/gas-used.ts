export type Sent = Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>;

/** The gas that a mined transaction used. */
export async function gasUsed(sent: Sent): Promise<number> {
  const receipt = await (await sent).wait();
  if (receipt === null) throw new Error("the transaction was not mined");
  return Number(receipt.gasUsed);
}

export const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

export const total = (steps: Readonly<Record<string, number>>) => sum(Object.values(steps));

export const grouped = (value: number) => Math.round(value).toLocaleString("en");
