"use client";

import { useEffect, useState } from "react";
import { formatUnits } from "viem";
import { useBalance, useConnection, useDisconnect } from "wagmi";
import { HexText } from "../../ui/address.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Facts } from "../../ui/facts.tsx";
import { shortHex } from "../../ui/short-hex.ts";
import { ConnectList } from "./connect-list.tsx";
import styles from "./wallet.module.css";

/** Connect, or who is connected. */
export function WalletButton({ large = false }: { large?: boolean }) {
  const { address, status } = useConnection();
  const [open, setOpen] = useState(false);
  const close = () => setOpen(false);
  // Connecting replaces the list that started it, so the list cannot close its own dialog.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another address is what closes it
  useEffect(() => setOpen(false), [address]);
  const connected = address !== undefined;
  return (
    <>
      <Button
        size={large ? "large" : "small"}
        variant={connected ? "secondary" : "primary"}
        busy={status === "connecting" || status === "reconnecting"}
        onClick={() => setOpen(true)}
      >
        {connected ? (
          <>
            <span className={styles.identity} style={identityColour(address)} aria-hidden="true" />
            <span className="visually-hidden">Wallet </span>
            {shortHex(address)}
          </>
        ) : (
          <span>
            Connect<span className={large ? undefined : styles.wide}> wallet</span>
          </span>
        )}
      </Button>
      <Dialog open={open} title={connected ? "Your wallet" : "Connect a wallet"} onClose={close}>
        {connected ? <Connected onDone={close} /> : <ConnectList />}
      </Dialog>
    </>
  );
}

function Connected({ onDone }: { onDone: () => void }) {
  const { address, connector } = useConnection();
  const { data: balance } = useBalance({ address });
  const { mutate: disconnect } = useDisconnect();
  if (address === undefined) return null;
  const gas = balance === undefined ? "…" : Number(formatUnits(balance.value, balance.decimals)).toFixed(4);
  return (
    <div className={styles.connected}>
      <Facts
        facts={[
          ["Address", <HexText key="address" value={address} label="wallet address" />],
          ["Through", connector?.name ?? "wallet"],
          ["For gas", `${gas} ${balance?.symbol ?? ""}`],
        ]}
      />
      <Button
        onClick={() => {
          disconnect();
          onDone();
        }}
      >
        Disconnect
      </Button>
    </div>
  );
}

/** A colour of one's own, from the address: quicker to recognise than digits. */
function identityColour(address: string): { background: string } {
  const hue = Number.parseInt(address.slice(2, 8), 16) % 360;
  return { background: `linear-gradient(135deg, hsl(${hue} 60% 62%), hsl(${(hue + 70) % 360} 60% 46%))` };
}
