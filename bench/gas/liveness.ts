import {
  type Attester,
  addNode,
  ascending,
  attester,
  attesters,
  bid,
  patientMarket,
  type ReportInput,
  rotate,
  seat,
  send,
  times,
} from "../../test/contracts/committee.ts";
import { type Market, networkHelpers } from "../../test/contracts/market.ts";
import { gasUsed, sum } from "./gas-used.ts";
import { registerNodes } from "./registered-nodes.ts";

/** Registered nodes beside the committee's own. */
const NODES = [10, 100, 1_000, 10_000] as const;
const CHANGES = [1, 8, 16, 32, 64] as const;
export const SEATS = 16;

/** What a report of so many nodes costs. */
export interface ReportCost {
  readonly nodes: number;
  readonly changes: number;
  /** Of nodes that no report has named before. */
  readonly firstOffline: number;
  readonly online: number;
  readonly offline: number;
}

export interface LivenessCost {
  readonly signatures: number;
  readonly byNodes: readonly ReportCost[];
  readonly byChanges: readonly ReportCost[];
  /** Of `firstOffline` and `offline` over `byChanges`. */
  readonly firstFit: Fit;
  readonly fit: Fit;
}

/** gas = a + b × changes by least squares, and how far a measured point lies from it at most. */
export interface Fit {
  readonly a: number;
  readonly b: number;
  readonly worst: number;
}

/** The cost of a full committee's report, with more and more nodes registered, then with more and more of them named. */
export async function measureLiveness(): Promise<LivenessCost> {
  const market = await patientMarket();
  await seat(market, attesters(SEATS - 1));
  await addNode(market, attester(SEATS - 1));
  await bid(market, attester(SEATS - 1));
  await rotate(market);
  const signers = attesters(Number(await market.liveness.quorumOf()));
  // A seat's first signature in an epoch writes that it was there.
  await send(market, signers);

  const unnamed: string[] = [];
  const byNodes: ReportCost[] = [];
  let nodes = 0;
  for (const count of NODES) {
    unnamed.push(...(await registerNodes(market, nodes, count)));
    nodes = Number(await market.nodes.nodeCount()) - SEATS;
    if (nodes !== count) throw new Error(`${nodes} nodes are registered, not ${count}`);
    byNodes.push({ nodes, ...(await reportCost(market, signers, unnamed.splice(0, 1))) });
  }
  const byChanges: ReportCost[] = [];
  for (const changes of CHANGES) {
    byChanges.push({ nodes, ...(await reportCost(market, signers, unnamed.splice(0, changes))) });
  }
  const firstFit = leastSquares(byChanges.map(({ changes, firstOffline }) => [changes, firstOffline]));
  const fit = leastSquares(byChanges.map(({ changes, offline }) => [changes, offline]));
  return { signatures: signers.length, byNodes, byChanges, firstFit, fit };
}

async function reportCost(market: Market, signers: readonly Attester[], unnamed: readonly string[]) {
  const named = ascending(unnamed);
  const cost = async (changes: Partial<ReportInput>) => {
    const gas = await gasUsed(send(market, signers, changes));
    const accepted = await market.liveness.queryFilter(market.liveness.filters.ReportAccepted, "latest");
    const [count] = accepted.map(({ args }) => Number(args.changes));
    if (count !== named.length) throw new Error(`the report changed ${count} nodes, not ${named.length}`);
    return gas;
  };
  const firstOffline = await cost({ offline: named });
  const online = await cost({ online: named });
  await networkHelpers.time.increase(times.reportCooldown + 1);
  const offline = await cost({ offline: named });
  return { changes: named.length, firstOffline, online, offline };
}

function leastSquares(points: readonly (readonly [changes: number, gas: number])[]): Fit {
  const mean = (of: (x: number, y: number) => number) =>
    sum(points.map(([x, y]) => of(x, y))) / points.length;
  const meanX = mean((x) => x);
  const meanY = mean((_, y) => y);
  const b = mean((x, y) => (x - meanX) * (y - meanY)) / mean((x) => (x - meanX) ** 2);
  const a = meanY - b * meanX;
  const worst = Math.max(...points.map(([x, y]) => Math.abs(y - a - b * x)));
  return { a: Math.round(a), b: Math.round(b), worst: Math.round(worst) };
}
