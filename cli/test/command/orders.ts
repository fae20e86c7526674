import assert from "node:assert/strict";
import type { Hex } from "viem";
import type { MarketFixture } from "../market-fixture.ts";

/** A task file that the fixture's node can run. */
export const TASK = `name: hello
public: true
template: batch
command: echo hello
resources: { cpu: 1, memory: 64Mi, storage: 64Mi, duration: 10m }
budget: 1 dUSD
`;

/** Writes the task file and orders it: by the node's quote, or with `--open` at its posted rate. */
export async function order(
  { write, runHere }: MarketFixture,
  options: { text?: string; open?: boolean } = {},
): Promise<Hex> {
  const file = await write("task.yaml", options.text ?? TASK);
  const ran = await runHere(["task", "submit", file, "--yes", "--json", ...(options.open ? ["--open"] : [])]);
  assert.equal(ran.code, 0, ran.stdout);
  return ran.json<{ taskId: Hex }>().taskId;
}

/** As hints show an id. */
export const short = (id: string) => id.slice(0, 10);
