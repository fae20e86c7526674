import {
  awardTask,
  listenForPresence,
  type OrderPath,
  type PreparedTask,
  planQuotes,
  planTask,
  type SubmittedTask,
  submitTask,
} from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import type { ConsumerSession } from "./session.ts";

export interface OrderTaskOptions {
  readonly session: ConsumerSession;
  readonly task: PreparedTask;
  readonly path: OrderPath;
  readonly onEvent?: ((event: string, values: Readonly<Record<string, string>>) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Listens for nodes, plans, and orders: by whoever accepts the posted rate, or by the cheapest quotes. */
export async function orderTask(options: OrderTaskOptions): Promise<SubmittedTask> {
  const { session, task, signal, onEvent } = options;
  const { market, peer, account } = session;
  const [token, terms, nodes, head] = await Promise.all([
    market.token(),
    market.terms(),
    market.nodes(),
    market.head(),
  ]);
  const presence = await listenForPresence(
    peer,
    nodes.map(({ address }) => address),
    { signal },
  );
  const facts = { token, terms, now: head.timestamp, presence, nowMs: Date.now() };
  const plan = planTask(task.planOrder, nodes, facts);
  const all = `${nodes.length} nodes`;
  onEvent?.("planned", { fitting: `${plan.fitting.length} of ${all}` });
  if (options.path === "open") return submitTask({ market, peer, task, plan, signal });
  const { cap, problem } = plan;
  if (cap === undefined) throw problem ?? new DekuperError("NO_NODE_FITS", "No node posts a rate.");
  const asking = { market, peer, task, cap, nodes, signal };
  const quoted = await planQuotes({ ...asking, consumer: account.address });
  onEvent?.("quoted", { quotes: `${quoted.offers.offers.length} of ${all}` });
  return awardTask({ ...asking, plan: quoted });
}
