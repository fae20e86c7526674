"use client";

import { useState } from "react";
import styles from "./address.module.css";
import { shortHex } from "./short-hex.ts";

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
