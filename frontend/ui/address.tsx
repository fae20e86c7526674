"use client";

import { useState } from "react";
import styles from "./address.module.css";

/** `0x1234…abcd`: enough to recognise, never enough to trust; the whole is a click away. */
export function shortHex(value: string): string {
  return `${value.slice(0, 6)}…${value.slice(-4)}`;
}

/** An address, id or digest that copies itself. */
export function HexText({ value, label }: { value: string; label: string }) {
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    setCopied(true);
    setTimeout(() => setCopied(false), 1_500);
  };
  return (
    <button type="button" className={styles.hex} title={value} onClick={() => void copy()}>
      <span className="visually-hidden">Copy {label} </span>
      <span className={styles.text} data-copied={copied}>
        {shortHex(value)}
      </span>
      <span className={styles.copied} role="status">
        {copied ? "Copied" : ""}
      </span>
    </button>
  );
}
