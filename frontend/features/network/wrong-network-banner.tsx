"use client";

import { useConnection, useSwitchChain } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { describeError } from "../../ui/describe-error.ts";
import { useNetwork } from "./network-provider.tsx";
import styles from "./wrong-network-banner.module.css";

/** Says so when the wallet is on another chain, and offers to switch it. */
export function WrongNetworkBanner() {
  const network = useNetwork();
  const { chainId } = useConnection();
  const { mutate: switchChain, isPending, error } = useSwitchChain();
  if (chainId === undefined || chainId === network.deployment.chainId) return null;
  return (
    <div className={styles.banner} role="alert">
      <p>
        Your wallet is on chain {chainId}. This market is on {network.name} (chain{" "}
        {network.deployment.chainId}).{error !== null && ` ${describeError(error).message}`}
      </p>
      <Button
        size="small"
        busy={isPending}
        onClick={() => switchChain({ chainId: network.deployment.chainId })}
      >
        Switch to {network.name}
      </Button>
    </div>
  );
}
