"use client";

import type { TaskDetail } from "@dekuper/client";
import type { Hex } from "viem";
import { useConnection } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { formatMoney, type Token } from "../../ui/money.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import { type Action, actionsOf } from "./actions-of.ts";
import styles from "./task.module.css";

/** What can be done now, and what each costs. */
export function TaskActions(props: {
  detail: TaskDetail;
  token: Token;
  now: number | undefined;
  opened: ReadonlySet<Hex>;
}) {
  const market = useMarket();
  const { address } = useConnection();
  const isMine = address === props.detail.task.consumer;
  const actions = actionsOf({ ...props, market, isMine });
  const action = useAction((chosen: Action) => chosen.run());
  if (market.wallet === undefined || actions.length === 0) return null;
  return (
    <div className={styles.actions}>
      {actions.map((each) => (
        <div key={each.label} className={styles.action}>
          <Button
            variant={each.variant}
            busy={action.isPending && action.variables?.label === each.label}
            disabled={action.isPending}
            onClick={() => action.mutate(each)}
          >
            {each.label}
          </Button>
          <p>{each.cost}</p>
        </div>
      ))}
      {market.relayFee > 0n && (
        <p className={styles.muted}>
          Each transaction also takes {formatMoney(market.relayFee, props.token)} of your free balance, for
          your relay.
        </p>
      )}
      {action.error !== null && <ErrorNotice error={action.error} />}
    </div>
  );
}
