"use client";

import type { AccountInfo } from "@dekuper/client";
import { useConnection } from "wagmi";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { type Fact, Figures } from "../../ui/facts.tsx";
import { formatNumber, type Token } from "../../ui/money.ts";
import { Card, PageHeader, Section, Skeleton } from "../../ui/page.tsx";
import { useMarket } from "../market/market-provider.tsx";
import { useAccountInfo, useToken } from "../market/market-queries.ts";
import { useNetwork } from "../network/network-provider.tsx";
import { ConnectPrompt } from "../wallet/connect-prompt.tsx";
import styles from "./account.module.css";
import { Faucet } from "./faucet.tsx";
import { MoveForm } from "./move-form.tsx";
import { RelayCard } from "./relay-card.tsx";
import { DownloadCsv, StatementLines } from "./statement.tsx";
import { useStatement } from "./use-statement.ts";

/** What one has in the market, and the ways in and out. */
export function AccountPage() {
  const { address } = useConnection();
  return (
    <>
      <PageHeader
        title="Account"
        lead="The escrow contract holds what you deposit. A task reserves its maximum when it is created; what it does not use comes back."
      />
      {address === undefined ? (
        <ConnectPrompt title="Connect a wallet to see your account">
          Balances are read from the escrow contract. Nothing is moved without your signature.
        </ConnectPrompt>
      ) : (
        <Balances address={address} />
      )}
    </>
  );
}

function Balances({ address }: { address: `0x${string}` }) {
  const network = useNetwork();
  const token = useToken();
  const { data: account, error, refetch } = useAccountInfo(address);
  const statement = useStatement(address);
  const { data } = statement;
  const { relayFee } = useMarket();
  return (
    <>
      {error !== null && <ErrorNotice error={error} onRetry={() => void refetch()} />}
      <Card className={styles.balances}>
        <Figures
          long
          facts={[
            ["Free", <Money key="free" amount={account?.free} token={token} />],
            ["Reserved for live tasks", <Money key="reserved" amount={account?.reserved} token={token} />],
            ["Spent", <Money key="spent" amount={data?.totals.paid} token={token} />],
            ...earnedBy(account, token),
            ["In your wallet", <Money key="wallet" amount={account?.walletBalance} token={token} />],
          ]}
        />
      </Card>
      {network.local && token !== undefined && <Faucet address={address} token={token} />}
      {token !== undefined && account !== undefined && (
        <div className={styles.forms}>
          <MoveForm kind="deposit" limit={account.walletBalance} token={token} />
          <MoveForm kind="withdraw" limit={most(account.free - relayFee)} token={token} />
        </div>
      )}
      {token !== undefined && <RelayCard key={address} token={token} />}
      <Section
        title="Statement"
        aside={
          data !== undefined &&
          token !== undefined &&
          data.lines.length > 0 && <DownloadCsv statement={data} token={token} />
        }
      >
        <StatementLines query={statement} token={token} />
      </Section>
    </>
  );
}

const most = (amount: bigint) => (amount > 0n ? amount : 0n);

/** Only owners of nodes have earnings. */
function earnedBy(account: AccountInfo | undefined, token: Token | undefined): Fact[] {
  if (account === undefined || account.earnings === 0n) return [];
  return [["Earned by your nodes", <Money key="earnings" amount={account.earnings} token={token} />]];
}

function Money({ amount, token }: { amount: bigint | undefined; token: Token | undefined }) {
  if (amount === undefined || token === undefined) return <Skeleton width="5rem" />;
  return (
    <>
      {formatNumber(amount, token)} <small>{token.symbol}</small>
    </>
  );
}
