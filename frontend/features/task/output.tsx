"use client";

import { type LeaseDetail, type TaskDetail, withheldReason } from "@dekuper/client";
import { useState } from "react";
import { useConnection } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { formatBytes } from "../../ui/bytes.ts";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Notice } from "../../ui/notice.tsx";
import { Empty } from "../../ui/page.tsx";
import { OutputFile } from "./output-file.tsx";
import styles from "./task.module.css";
import { MAX_BROWSER_OUTPUT_BYTES, useOutput } from "./use-output.ts";

/** The result of one lease: opened in this browser, checked against what the node signed, shown and saved. */
export function Output(props: { detail: TaskDetail; lease: LeaseDetail; onOpened: () => void }) {
  const { detail, lease, onOpened } = props;
  const { address } = useConnection();
  const output = useOutput(lease.leaseId, detail.task.specDigest);
  const [givesReceipt, setGivesReceipt] = useState(true);
  const { attestation } = lease.attestation ?? {};
  const withheld = withheldReason(detail, lease);
  if (withheld !== undefined) {
    return <Empty title="No output">{`${withheld.charAt(0).toUpperCase()}${withheld.slice(1)}.`}</Empty>;
  }
  if (attestation === undefined) {
    return <Empty title="No output yet">It is here once the run has ended and the node has signed it.</Empty>;
  }
  if (output.data !== undefined) {
    const { files, log, delivery } = output.data;
    const { receipt } = delivery;
    return (
      <div className={styles.output}>
        <Notice tone="good">
          Decrypted here. Every file matches the digest that the node signed on chain.
        </Notice>
        <ul className={styles.files}>
          {[...files].map(([path, bytes]) => (
            <OutputFile key={path} path={path} bytes={bytes} />
          ))}
          <OutputFile path="log.txt" label="Whole log" bytes={log} />
        </ul>
        {receipt.kind === "given" && <p className={styles.muted}>The node has your signed receipt.</p>}
        {receipt.kind === "not-taken" && (
          <p className={styles.muted} title={receipt.reason}>
            The node did not take your receipt. What you have here is right all the same.
          </p>
        )}
        {files.size === 0 && <p className={styles.muted}>The run wrote nothing to /output.</p>}
        {delivery.skipped.length > 0 && (
          <Notice tone="warning">
            Left out by the node:{" "}
            {delivery.skipped.map(({ path, reason }) => `${path} (${reason})`).join(", ")}
          </Notice>
        )}
      </div>
    );
  }
  const size = `${formatBytes(attestation.ciphertextSize)}, encrypted to you`;
  if (address !== detail.task.consumer) {
    return <Empty title={size}>Only the wallet that paid for the task can open it.</Empty>;
  }
  if (attestation.ciphertextSize > MAX_BROWSER_OUTPUT_BYTES) {
    return (
      <Empty title={size}>
        That is too much for a browser tab. <code>dekuper task fetch {detail.task.taskId}</code> brings it to
        your disk.
      </Empty>
    );
  }
  return (
    <div className={styles.output}>
      <Empty
        title={size}
        action={
          <Button
            variant="primary"
            busy={output.isPending}
            onClick={() => output.mutate({ givesReceipt }, { onSuccess: onOpened })}
          >
            Decrypt output
          </Button>
        }
      >
        The node keeps it until {new Date(Number(attestation.retainUntil) * 1000).toLocaleString()}. Your
        wallet's signature makes the key; no transaction.
      </Empty>
      {lease.status === "Completed" && (
        <label className={styles.receipt}>
          <input
            type="checkbox"
            checked={givesReceipt}
            onChange={(event) => setGivesReceipt(event.target.checked)}
          />
          <span>Then sign a receipt: it proves to everybody that the node has delivered.</span>
        </label>
      )}
      <p className={styles.muted} role="status">
        {output.isPending && output.progress}
      </p>
      {output.error !== null && <ErrorNotice error={output.error} />}
    </div>
  );
}
