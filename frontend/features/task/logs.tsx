"use client";

import { useEffect, useRef } from "react";
import type { Hex } from "viem";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Empty } from "../../ui/page.tsx";
import styles from "./task.module.css";
import { useLog } from "./use-log.ts";

/** The run's log, live from the node. */
export function Logs({ id, hasNode, isReplica }: { id: Hex; hasNode: boolean; isReplica: boolean }) {
  const log = useLog(id);
  const box = useRef<HTMLPreElement>(null);
  const atEnd = useRef(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: new text is what scrolls
  useEffect(() => {
    if (atEnd.current && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [log.text]);
  if (!hasNode) return <Empty title="No log yet">It begins when a node has accepted the task.</Empty>;
  if (isReplica) {
    return (
      <Empty title="Replicas show no live log">
        Else one could copy another's result. The whole log is in the output of those that agree.
      </Empty>
    );
  }
  if (log.state === "idle") {
    return (
      <Empty title="Logs come from the node itself" action={<Button onClick={log.start}>Follow logs</Button>}>
        Your wallet signs a token that lets this browser read them. No transaction.
      </Empty>
    );
  }
  return (
    <div className={styles.log}>
      <pre
        ref={box}
        className={styles.logText}
        // A scrollable region has to be reachable by keyboard.
        // biome-ignore lint/a11y/noNoninteractiveTabindex: as said above
        tabIndex={0}
        role="log"
        aria-label="Log of the run"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) => {
          atEnd.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {log.text === "" ? " " : log.text}
      </pre>
      <p className={styles.logState} role="status">
        <span>{log.notice}</span>
        {log.state !== "following" && (
          <Button size="small" variant="ghost" onClick={log.start}>
            Read again
          </Button>
        )}
      </p>
      {log.state === "failed" && <ErrorNotice error={log.error} />}
    </div>
  );
}
