"use client";

import { useConnect, useConnectors } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Notice } from "../../ui/notice.tsx";
import { useNetwork } from "../network/network-provider.tsx";
import { BURNER_ID } from "./burner-connector.ts";
import styles from "./wallet.module.css";

/** Every way to connect: wallets that announce themselves (EIP-6963), `window.ethereum`, the burner. */
export function ConnectList() {
  const network = useNetwork();
  const connectors = useConnectors();
  const { mutate: connect, isPending, variables, error } = useConnect();
  const announced = connectors.some(
    (connector) => connector.type === "injected" && connector.id !== "injected",
  );
  const usable = connectors.filter(
    (connector) => connector.id !== "injected" || (!announced && "ethereum" in globalThis),
  );
  return (
    <div className={styles.list}>
      {usable.map((connector) => (
        <Button
          key={connector.uid}
          size="large"
          className={styles.choice}
          busy={isPending && variables?.connector === connector}
          onClick={() => connect({ connector, chainId: network.deployment.chainId })}
        >
          <span>{connector.id === "injected" ? "Browser wallet" : connector.name}</span>
          <small>{connector.id === BURNER_ID ? "Signs by itself, worth nothing" : "In this browser"}</small>
        </Button>
      ))}
      {!usable.some((connector) => connector.type === "injected") && (
        <Notice>
          No wallet was found in this browser. Install one that injects itself into pages, then reload.
        </Notice>
      )}
      {error !== null && <ErrorNotice error={error} />}
      <p className={styles.small}>Connecting shows your address to this page and moves nothing.</p>
    </div>
  );
}
