"use client";

import { type MarketNode, type PreparedTask, planQuotes, type QuotedPlan, quoteCap } from "@dekuper/client";
import { useQuery } from "@tanstack/react-query";
import { type Address, zeroAddress } from "viem";
import { useConnection } from "wagmi";
import { useSettled } from "../../ui/use-settled.ts";
import { useMarket } from "../market/market-provider.tsx";
import { usePeers } from "../peers/peer-provider.tsx";
import type { LivePlan } from "./use-plan.ts";

/** Nodes bound how often one host asks, and one consumer: nobody is asked before the form has stood still for so long. */
const SETTLE_MS = 700;
/** While the page is looked at, what nodes would take is asked again. */
const AGAIN_MS = 20_000;

export interface LiveQuotes {
  /** What nodes say to the form as it is now. */
  readonly quoted: QuotedPlan | undefined;
  readonly isAsking: boolean;
  readonly error: unknown;
  askAgain(): void;
}

/** Asks every node what it would take of the form's task. Nothing is signed, and nothing is held. */
export function useQuotes({ task, plan, nodes }: LivePlan): LiveQuotes {
  const market = useMarket();
  const { peer } = usePeers();
  const { address: consumer = zeroAddress } = useConnection();
  const cap = plan === undefined ? undefined : quoteCap(plan);
  const question =
    task === undefined || cap === undefined || nodes === undefined
      ? ""
      : questionOf(task, cap, consumer, nodes);
  const isSettled = useSettled(question, SETTLE_MS) === question;
  const query = useQuery({
    queryKey: ["quotes", question],
    queryFn: async ({ signal }) => {
      if (task === undefined || cap === undefined) throw new Error("There is no question.");
      return planQuotes({ market, peer: await peer(), task, cap, nodes, consumer, signal });
    },
    enabled: question !== "" && isSettled,
    staleTime: AGAIN_MS,
    refetchInterval: AGAIN_MS,
    retry: false,
  });
  const isKnown = question !== "" && isSettled;
  return {
    quoted: isKnown ? query.data : undefined,
    isAsking: question !== "" && (!isSettled || query.isPending),
    error: isKnown && query.data === undefined ? (query.error ?? undefined) : undefined,
    askAgain: () => void query.refetch(),
  };
}

/** Everything that the answers and what is made of them depend on: script, name and environment do not. */
function questionOf(
  { planOrder, spec, inputs }: PreparedTask,
  cap: bigint,
  consumer: Address,
  nodes: readonly MarketNode[],
): string {
  const bytes = inputs.reduce((sum, { source }) => sum + source.size, 0);
  const asked = nodes.map(({ address, status }) => [address, status]);
  return JSON.stringify(
    [planOrder, cap, spec.public, spec.image, bytes, consumer, asked],
    (_, value: unknown) => (typeof value === "bigint" ? `${value}` : value),
  );
}
