"use client";

import type { LeaseState, TaskDetail } from "@dekuper/client";
import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { Address, Hex } from "viem";
import type { Token } from "../../ui/money.ts";
import { useMarket } from "./market-provider.tsx";

/** Milliseconds between reads: a local chain makes a block a second. */
function useInterval(local: number, elsewhere: number): number {
  return useMarket().network.local ? local : elsewhere;
}

/** A first read that failed is tried again by itself; until it succeeds its failure stays, so that the page does not blink. */
function useSteady<T>(query: UseQueryResult<T>) {
  const { data, error, refetch } = query;
  const [failure, setFailure] = useState<Error | null>(null);
  if (error !== null && error !== failure) setFailure(error);
  if (error === null && data !== undefined && failure !== null) setFailure(null);
  return { data, error: error ?? failure, refetch };
}

/** The payment token; undefined until it is read. It never changes. */
export function useToken(): Token | undefined {
  const market = useMarket();
  return useQuery({
    queryKey: ["token", market.network.deployment.token],
    queryFn: () => market.token(),
    staleTime: Number.POSITIVE_INFINITY,
  }).data;
}

export function useTerms() {
  const market = useMarket();
  return useQuery({ queryKey: ["terms"], queryFn: () => market.terms(), staleTime: 60_000 });
}

/** The network map. */
export function useNodes() {
  const market = useMarket();
  return useSteady(
    useQuery({
      queryKey: ["nodes"],
      queryFn: () => market.nodes(),
      refetchInterval: useInterval(3_000, 15_000),
    }),
  );
}

/** What an account has in its wallet and in the market. */
export function useAccountInfo(address: Address | undefined) {
  const market = useMarket();
  return useSteady(
    useQuery({
      queryKey: ["account", address],
      queryFn: () => market.account(address as Address),
      enabled: address !== undefined,
      refetchInterval: useInterval(2_000, 8_000),
    }),
  );
}

/** Tasks of a consumer, newest first. */
export function useTasks(consumer: Address | undefined) {
  const market = useMarket();
  return useSteady(
    useQuery({
      queryKey: ["tasks", consumer],
      queryFn: () => market.tasks(consumer as Address),
      enabled: consumer !== undefined,
      refetchInterval: useInterval(2_000, 12_000),
    }),
  );
}

/** A task with its timeline. */
export function useTask(id: Hex) {
  const market = useMarket();
  return useSteady(
    useQuery({
      queryKey: ["task", id],
      queryFn: () => market.taskDetail(id),
      refetchInterval: useInterval(1_500, 8_000),
    }),
  );
}

/** How a task's runs have ended, as their nodes signed it: read once for each state, and only while `enabled`. */
export function useEnding(id: Hex, state: LeaseState, enabled: boolean): TaskDetail | undefined {
  const market = useMarket();
  return useQuery({
    queryKey: ["ending", id, state],
    queryFn: () => market.taskDetail(id),
    enabled,
    staleTime: Number.POSITIVE_INFINITY,
  }).data;
}

/** Chain time, Unix seconds: deadlines are judged by it, not by this computer's clock. */
export function useChainTime(): number | undefined {
  const market = useMarket();
  const { data } = useQuery({
    queryKey: ["head"],
    queryFn: async () => Number((await market.head()).timestamp),
    refetchInterval: useInterval(1_000, 4_000),
  });
  return data;
}
