"use client";

import { isDekuperError } from "@dekuper/protocol";
import { useQuery } from "@tanstack/react-query";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { useMarket } from "../market/market-provider.tsx";
import styles from "./network-check.module.css";

/** Says so when the RPC serves another chain, or another history of it, than the network file names. */
export function NetworkCheck() {
  const market = useMarket();
  const { error, refetch } = useQuery({
    queryKey: ["check"],
    queryFn: async () => {
      await market.check();
      return true;
    },
    staleTime: 60_000,
  });
  // An RPC that does not answer is named where its data is missing.
  if (error === null || isDekuperError(error, "RPC_UNAVAILABLE")) return null;
  return (
    <div className={styles.check}>
      <ErrorNotice error={error} onRetry={() => void refetch()} />
    </div>
  );
}
