/** Renders the tables of `docs/protocol.md` out of the data that tests and deployments use. */
import { readFile } from "node:fs/promises";
import { type MarketParameters, readParameters } from "../ignition/parameters.ts";
import { renderGangRows } from "../test/contracts/gang-table.ts";
import { renderMatrix, renderRows } from "../test/contracts/state-table.ts";
import { renderVerificationMatrix, renderVerificationRows } from "../test/contracts/verification-table.ts";
import type { GeneratedFile } from "./generators/generated-file.ts";

const page = new URL("../docs/protocol.md", import.meta.url);

/** Why each parameter is bounded as it is; every parameter must have its line. */
const reasons: Record<string, [unit: string, why: string]> = {
  challengeWindow: [
    "s",
    "long enough to fetch and look at a result; bounded so that pay is never held for longer than evidence lasts",
  ],
  completionGrace: [
    "s",
    "upload and sign after the end; bounded so that a lost lease frees its consumer within the hour",
  ],
  outageGrace: [
    "s",
    "nobody enforces a deadline right behind it: what has none of its own still goes through after an outage",
  ],
  drift: ["s", "the operator's clock against the block's"],
  minBilled: ["s", "there is no free trial; bounded so that a cancel stays cheap"],
  minCheckpointInterval: [
    "s",
    "claims cost gas and blocks; bounded so that a lost lease loses at most an hour's pay",
  ],
  minRetention: ["s", "how long after its window a result can still be fetched"],
  feeBps: ["1/10000 of gross", "never above 5 %"],
  lockBps: [
    "1/10000 of the reservation",
    "what an equivocation costs; bounded so that stake needed stays below the order's worth",
  ],
  minLock: ["base units", "small leases must cost something to betray"],
  ticketAge: [
    "s",
    "a node made or staked after the order has no ticket: no grinding of addresses, no stake that draws for many nodes",
  ],
  widenTime: ["s", "spreads the takers over time; an order is open to all within the hour"],
  firstShareBps: ["1/10000 of tickets", "admitted at once; never none, or small markets would stand still"],
  grantWindow: [
    "s",
    "what a consumer has to hand over a key; bounded so that a node that waits for one is free within the hour",
  ],
  replaceWindow: [
    "s",
    "how long a lost lease waits for a taker and survivors earn for waiting; bounded so that a gang stands still for an hour at most",
  ],
  gangFaultWindow: [
    "s",
    "exits this close to a gang's stop are recorded as its peers' fault; moves no money",
  ],
  minRun: [
    "s",
    "less is not worth another start: the rest goes back; bounded so that a long rest is always given on",
  ],
  standbyBps: [
    "1/10000 of the rate",
    "what waiting for another member earns, out of that member's lock; never above the full rate",
  ],
  revealWindow: [
    "s",
    "what the replicas of a quorum have to reveal; bounded so that pay waits an hour at most",
  ],
  noQuorumBps: [
    "1/10000 of the pay",
    "what honest work earns where no k replicas are alike; never above its pay",
  ],
  answerWindow: [
    "s",
    "what a node has to answer a delivery claim; bounded so that a claim holds pay up for days at most",
  ],
  claimBond: [
    "base units",
    "a claim costs its consumer something when it was untrue; bounded so that it can be raised",
  ],
  maxQuoteLife: [
    "s",
    "a quote is a promise of capacity; bounded so that nobody holds one for longer than minutes",
  ],
  maxStartWindow: ["s", "an accepted lease starts or frees its consumer within half an hour"],
  maxDuration: ["s", "bounds what one order reserves"],
  maxOpenTime: ["s", "bounds how long an order nobody takes holds its reservation"],
  minStake: ["base units", "what an accepting node holds at least"],
  stakePerGpu: ["base units", "declaring GPUs costs stake"],
  epochLength: ["s", "how long a committee stays; bounded so that a silent seat is vacated within days"],
  reportGrace: [
    "s",
    "an operator's chance to object to an offline report; bounded so that a lost node is known within minutes",
  ],
  reportCooldown: [
    "s",
    "how often a node may have to object; bounded so that a node that comes and goes is still noticed",
  ],
  reportLife: ["s", "how old the evidence of a report may be; bounded below by an outage of the sender"],
  maxMissed: ["epochs", "a seat that nobody holds is vacated; never at once, for an outage is no fault"],
  minSeats: [
    "seats",
    "a committee too small to hold a liar in check says nothing; never above the 16 there are",
  ],
  minSeatStake: ["base units", "what a voice in the committee ties up; it is never taken"],
};

/** The struct's fields by name, the terms among them. */
function flat(values: object): Record<string, string> {
  const entries = Object.entries(values).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? Object.entries(flat(value))
      : [[key, String(value)] as const],
  );
  return Object.fromEntries(entries);
}

function renderParameters(production: MarketParameters, local: MarketParameters): string {
  const of = (from: MarketParameters, which: "initial" | "min" | "max") =>
    flat({ ...from.task[which], ...from.node[which], ...from.liveness[which] });
  const [initial, min, max] = [of(production, "initial"), of(production, "min"), of(production, "max")];
  const [localInitial, localMin, localMax] = [of(local, "initial"), of(local, "min"), of(local, "max")];
  const lines = Object.keys(initial).map((name) => {
    const reason = reasons[name];
    if (!reason) throw new Error(`No reason is given for ${name}`);
    const bounds = `${min[name]} to ${max[name]}`;
    const localBounds = `${localMin[name]} to ${localMax[name]}`;
    return `| ${name} | ${reason[0]} | ${initial[name]} | ${bounds} | ${localInitial[name]} | ${localBounds} | ${reason[1]} |`;
  });
  return [
    "| Parameter | Unit | Production | Bounds | Local | Local bounds | Why |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...lines,
  ].join("\n");
}

/** The page as it must be. */
export async function renderProtocol(text: string): Promise<string> {
  const tables: Record<string, string> = {
    rows: renderRows(),
    gangs: renderGangRows(),
    verification: renderVerificationRows(),
    judged: renderVerificationMatrix(),
    matrix: renderMatrix(),
    parameters: renderParameters(await readParameters("production"), await readParameters("local")),
  };
  return text.replaceAll(/<!-- rendered: (\w+) -->\n[\s\S]*?<!-- end -->/g, (_, name: string) => {
    return `<!-- rendered: ${name} -->\n${tables[name]}\n<!-- end -->`;
  });
}

export const readProtocol = () => readFile(page, "utf8");

export const protocolPage: GeneratedFile = { path: "docs/protocol.md", render: renderProtocol };
