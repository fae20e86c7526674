"use client";

import { useBlockNumber } from "wagmi";
import styles from "./chain-status.module.css";
import { useNetwork } from "./network-provider.tsx";

/** Network name and head block; red when the RPC does not answer. */
export function ChainStatus() {
  const network = useNetwork();
  const { data: block, isError } = useBlockNumber({ watch: true });
  return (
    <div className={styles.status} data-bad={isError}>
      <span className={styles.dot} aria-hidden="true" />
      <span className={styles.name}>{network.name}</span>
      <span className={styles.block}>
        <span className="visually-hidden">{isError ? "RPC does not answer" : "block "}</span>
        {isError ? "offline" : (block?.toLocaleString("en-US") ?? "…")}
      </span>
    </div>
  );
}
