"use client";

import styles from "./submit.module.css";

const CHOICES = [
  {
    isPublic: false,
    title: "Private",
    text: "Sealed in this browser. Only the nodes that get the task, and up to two that stand by for them, are handed its key: they see it in the clear.",
  },
  {
    isPublic: true,
    title: "Public",
    text: "Every registered node can read script, environment and inputs, whether it runs the task or not.",
  },
];

/** Who can read what is ordered. */
export function Readers(props: { isPublic: boolean; onChange: (isPublic: boolean) => void }) {
  return (
    <fieldset className={styles.readers}>
      <legend>Who can read it</legend>
      {CHOICES.map(({ isPublic, title, text }) => (
        <label key={title} className={styles.reader}>
          <input
            type="radio"
            name="readers"
            checked={props.isPublic === isPublic}
            onChange={() => props.onChange(isPublic)}
          />
          <span>
            <strong>{title}</strong>
            <p>{text}</p>
          </span>
        </label>
      ))}
      <p>Outputs come back encrypted to you, and logs go only to you.</p>
    </fieldset>
  );
}
