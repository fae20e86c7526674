"use client";

import { askRelay } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { TextField } from "../../ui/field.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Card } from "../../ui/page.tsx";
import { useMarket, useRelay } from "../market/market-provider.tsx";
import type { RelayChoice } from "../market/relay-choice.ts";
import { useAction } from "../market/use-action.ts";
import styles from "./account.module.css";

/** Who sends this account's transactions: its wallet, for the chain's coin, or a relay, for tokens of the escrow account. */
export function RelayCard({ token }: { token: Token }) {
  const { network, wallet } = useMarket();
  const { relay, chooseRelay } = useRelay();
  const [url, setUrl] = useState("");
  const terms = useAction(async (wanted: string): Promise<RelayChoice> => {
    const address = URL.parse(wanted.trim());
    if (address === null || !["http:", "https:"].includes(address.protocol))
      throw new DekuperError(
        "USAGE",
        `Relay: got ${JSON.stringify(wanted)}, expected an http or https address.`,
      );
    return { url: address.href, terms: await askRelay(address.href, network) };
  });
  const ask = (event: FormEvent) => {
    event.preventDefault();
    terms.mutate(url);
  };
  const choose = (choice: RelayChoice | undefined) => {
    chooseRelay(choice);
    terms.reset();
    setUrl("");
  };
  const fee = ({ terms: { fee } }: RelayChoice) => formatMoney(fee, token);
  return (
    <Card className={styles.relay}>
      <form className={styles.form} onSubmit={ask} noValidate>
        <div className={styles.formHead}>
          <h2>Who pays the gas</h2>
          <p>
            {relay === undefined
              ? `Your wallet does, with the chain's coin. A relay can send your transactions instead: it is paid from what is free here, and you need ${token.symbol} only.`
              : `${new URL(relay.url).host} sends your transactions, for ${fee(relay)} of your free balance each. Your wallet only signs. The relay can refuse or delay them, and change nothing.`}
          </p>
        </div>
        {relay !== undefined ? (
          <div className={styles.buttons}>
            <Button onClick={() => choose(undefined)}>Pay gas myself</Button>
          </div>
        ) : terms.data !== undefined ? (
          <div className={styles.buttons}>
            <p>
              It asks <strong>{fee(terms.data)}</strong> for each transaction.
            </p>
            <Button variant="primary" onClick={() => choose(terms.data)}>
              Use this relay
            </Button>
            <Button variant="ghost" onClick={() => choose(undefined)}>
              No
            </Button>
          </div>
        ) : (
          <>
            <TextField
              label="Relay"
              type="url"
              value={url}
              placeholder="https://relay.example/"
              hint="Anybody may run one, with dekuper relay."
              onChange={(event) => setUrl(event.target.value)}
            />
            <div className={styles.buttons}>
              <Button
                type="submit"
                busy={terms.isPending}
                disabled={url.trim() === "" || wallet === undefined}
              >
                Ask for its terms
              </Button>
            </div>
          </>
        )}
        {terms.error !== null && <ErrorNotice error={terms.error} />}
      </form>
    </Card>
  );
}
