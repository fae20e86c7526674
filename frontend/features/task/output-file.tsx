"use client";

import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { formatBytes } from "../../ui/bytes.ts";
import { Facts } from "../../ui/facts.tsx";
import { figuresIn, saveAs, textOf } from "./file-content.ts";
import styles from "./task.module.css";

/** One file of the output: looked at if it is small text, saved in any case. */
export function OutputFile({ path, bytes, label }: { path: string; bytes: Uint8Array; label?: string }) {
  const text = textOf(bytes);
  const figures = figuresIn(path, text);
  const [open, setOpen] = useState(figures !== undefined);
  return (
    <li className={styles.file}>
      <div className={styles.fileHead}>
        <code>{label ?? path}</code>
        <span className={styles.muted}>{formatBytes(bytes.length)}</span>
        <span className={styles.fileButtons}>
          {text !== undefined && (
            <Button size="small" variant="ghost" aria-expanded={open} onClick={() => setOpen(!open)}>
              {open ? "Hide" : "View"}
              <span className="visually-hidden"> {path}</span>
            </Button>
          )}
          <Button size="small" onClick={() => saveAs(path, bytes)}>
            Download<span className="visually-hidden"> {path}</span>
          </Button>
        </span>
      </div>
      {open && figures !== undefined && <Facts facts={figures} />}
      {open && figures === undefined && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region has to be reachable by keyboard
        <section className={styles.fileText} tabIndex={0} aria-label={`Content of ${path}`}>
          <pre>{text}</pre>
        </section>
      )}
    </li>
  );
}
