import type { ComponentProps } from "react";
import styles from "./button.module.css";

type ButtonProps = ComponentProps<"button"> & {
  variant?: "primary" | "secondary" | "ghost" | "danger";
  size?: "small" | "medium" | "large";
  /** Shows that it works and keeps the label for screen readers. */
  busy?: boolean;
};

export function Button({ variant = "secondary", size = "medium", busy = false, ...props }: ButtonProps) {
  return (
    <button
      type="button"
      {...props}
      disabled={props.disabled || busy}
      aria-busy={busy || undefined}
      className={`${styles.button} ${props.className ?? ""}`}
      data-variant={variant}
      data-size={size}
    >
      {busy && <span className={styles.spinner} aria-hidden="true" />}
      {props.children}
    </button>
  );
}
