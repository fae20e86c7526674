"use client";

import { DekuperError, demoDollarAbi } from "@dekuper/protocol";
import { type Address, parseUnits } from "viem";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import styles from "./account.module.css";

/** Demo tokens for the asking: only a local network's token can be minted by anyone. */
export function Faucet({ address, token }: { address: Address; token: Token }) {
  const market = useMarket();
  const amount = parseUnits("1000", token.decimals);
  const action = useAction(async () => {
    const { wallet, publicClient, network } = market;
    if (wallet === undefined) throw new DekuperError("NOT_ALLOWED", "Connect a wallet first.");
    const hash = await wallet.writeContract({
      address: network.deployment.token,
      abi: demoDollarAbi,
      functionName: "mint",
      args: [address, amount],
      account: wallet.account,
      chain: wallet.chain ?? null,
    });
    await publicClient.waitForTransactionReceipt({ hash });
  });
  return (
    <div className={styles.faucet}>
      <div>
        <p className={styles.faucetTitle}>This is a local network</p>
        <p>Its tokens are worth nothing. Take as many as you like.</p>
      </div>
      <Button busy={action.isPending} onClick={() => action.mutate()}>
        Get {formatMoney(amount, token)}
      </Button>
      {action.error !== null && <ErrorNotice error={action.error} />}
    </div>
  );
}
