import { type ComponentProps, type ReactNode, useId } from "react";
import styles from "./field.module.css";

interface FieldProps {
  label: string;
  hint?: ReactNode;
  error?: string | undefined;
  /** Shown inside the box at its end, such as a unit. */
  suffix?: string | undefined;
}

/** The label, hint and error around any control, wired up for screen readers. */
function Frame(props: FieldProps & { id: string; children: ReactNode; className?: string | undefined }) {
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={props.id}>
        {props.label}
      </label>
      <div className={styles.box} data-invalid={props.error !== undefined}>
        {props.children}
        {props.suffix !== undefined && <span className={styles.suffix}>{props.suffix}</span>}
      </div>
      {props.error !== undefined ? (
        <p className={styles.error} id={`${props.id}-error`} role="alert">
          {props.error}
        </p>
      ) : (
        props.hint !== undefined && (
          <p className={styles.hint} id={`${props.id}-hint`}>
            {props.hint}
          </p>
        )
      )}
    </div>
  );
}

function describedBy(id: string, props: FieldProps) {
  return {
    "aria-invalid": props.error !== undefined || undefined,
    "aria-describedby":
      props.error !== undefined ? `${id}-error` : props.hint !== undefined ? `${id}-hint` : undefined,
  };
}

export function TextField({ label, hint, error, suffix, ...input }: FieldProps & ComponentProps<"input">) {
  const made = useId();
  const id = input.id ?? made;
  return (
    <Frame id={id} label={label} hint={hint} error={error} suffix={suffix}>
      <input
        autoComplete="off"
        spellCheck={false}
        {...input}
        id={id}
        className={styles.input}
        {...describedBy(id, { label, hint, error })}
      />
    </Frame>
  );
}

export function TextArea({ label, hint, error, ...input }: FieldProps & ComponentProps<"textarea">) {
  const made = useId();
  const id = input.id ?? made;
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        spellCheck={false}
        autoCapitalize="off"
        {...input}
        id={id}
        className={styles.textarea}
        {...describedBy(id, { label, hint, error })}
      />
    </Frame>
  );
}

export function SelectField({
  label,
  hint,
  error,
  children,
  ...select
}: FieldProps & ComponentProps<"select">) {
  const made = useId();
  const id = select.id ?? made;
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select {...select} id={id} className={styles.input} {...describedBy(id, { label, hint, error })}>
        {children}
      </select>
    </Frame>
  );
}
