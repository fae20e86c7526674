"use client";

import type { TaskDetail } from "@dekuper/client";
import { useConnection } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import type { Token } from "../../ui/money.ts";
import { useMarket } from "../market/market-provider.tsx";
import { useAction } from "../market/use-action.ts";
import { type Action, actionsOf } from "./actions-of.ts";
import styles from "./task.module.css";

/** What can be done now, and what each costs. */
export function TaskActions(props: { detail: TaskDetail; token: Token; now: number | undefined }) {
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
      {action.error !== null && <ErrorNotice error={action.error} />}
    </div>
  );
}
