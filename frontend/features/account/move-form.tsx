"use client";

import { parseAmount } from "@dekuper/protocol";
import { type FormEvent, useState } from "react";
import { formatUnits } from "viem";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { TextField } from "../../ui/field.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { Card } from "../../ui/page.tsx";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import styles from "./account.module.css";

const WORDS = {
  deposit: {
    title: "Deposit",
    text: "Moves tokens from your wallet into the escrow. One signature and one transaction, where the token allows it; else two transactions.",
    limit: "In your wallet",
    done: "Deposited",
  },
  withdraw: {
    title: "Withdraw",
    text: "Moves free tokens back to your wallet, at any time. What live tasks reserve stays until they end.",
    limit: "Free",
    done: "Withdrawn",
  },
} as const;

/** Deposit or withdraw: an amount with a limit. */
export function MoveForm(props: { kind: "deposit" | "withdraw"; limit: bigint; token: Token }) {
  const { kind, limit, token } = props;
  const words = WORDS[kind];
  const market = useMarket();
  const [text, setText] = useState("");
  const [touched, setTouched] = useState(false);
  const amount = read(text, token);
  const problem = problemOf(amount, limit, token);
  const action = useAction(
    (wanted: bigint) => (kind === "deposit" ? market.deposit(wanted) : market.withdraw(wanted)),
    () => {
      setText("");
      setTouched(false);
    },
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTouched(true);
    if (amount !== undefined && problem === undefined) action.mutate(amount);
  };
  return (
    <Card>
      <form className={styles.form} onSubmit={submit} noValidate>
        <div className={styles.formHead}>
          <h2>{words.title}</h2>
          <p>{words.text}</p>
        </div>
        <TextField
          label={`Amount to ${kind}`}
          inputMode="decimal"
          placeholder="0.00"
          value={text}
          suffix={token.symbol}
          error={touched || (text !== "" && amount !== undefined) ? problem : undefined}
          hint={`${words.limit}: ${formatMoney(limit, token)}`}
          onChange={(event) => setText(event.target.value)}
          onBlur={() => text !== "" && setTouched(true)}
        />
        <div className={styles.buttons}>
          <Button type="submit" variant="primary" busy={action.isPending}>
            {words.title}
          </Button>
          <Button
            variant="ghost"
            disabled={limit === 0n}
            onClick={() => setText(formatUnits(limit, token.decimals))}
          >
            All
            <span className="visually-hidden"> of it, {kind}</span>
          </Button>
          <p className={styles.done} role="status">
            {action.isSuccess && `${words.done}. Gas used: ${action.data.gasUsed.toLocaleString("en-US")}`}
          </p>
        </div>
        {action.error !== null && <ErrorNotice error={action.error} />}
      </form>
    </Card>
  );
}

function read(text: string, token: Token): bigint | undefined {
  try {
    return parseAmount(text, token);
  } catch {
    return undefined;
  }
}

function problemOf(amount: bigint | undefined, limit: bigint, token: Token): string | undefined {
  if (amount === undefined || amount === 0n) return `Enter an amount such as 40 ${token.symbol}.`;
  return amount > limit ? `That is more than ${formatMoney(limit, token)}.` : undefined;
}
