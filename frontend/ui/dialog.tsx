"use client";

import { type ReactNode, useEffect, useId, useRef } from "react";
import { Button } from "./button.tsx";
import styles from "./dialog.module.css";

/** A modal on the browser's own `<dialog>`: focus stays inside, Escape closes. */
export function Dialog(props: { open: boolean; title: string; onClose: () => void; children: ReactNode }) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (props.open && dialog !== null && !dialog.open) dialog.showModal();
    if (!props.open) dialog?.close();
  }, [props.open]);
  return (
    <dialog ref={ref} className={styles.dialog} aria-labelledby={titleId} onClose={props.onClose}>
      <div className={styles.head}>
        <h2 id={titleId}>{props.title}</h2>
        <Button variant="ghost" size="small" onClick={props.onClose}>
          Close
        </Button>
      </div>
      {props.open && props.children}
    </dialog>
  );
}
