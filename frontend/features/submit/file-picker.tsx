"use client";

import { useId, useRef } from "react";
import { Button } from "../../ui/button.tsx";
import { formatBytes } from "../../ui/bytes.ts";
import styles from "./submit.module.css";

/** Files of this computer that the task finds in /input. */
export function FilePicker(props: { files: readonly File[]; onFiles: (files: readonly File[]) => void }) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const add = (list: FileList | null) => {
    const added = [...(list ?? [])];
    const names = new Set(added.map((file) => file.name));
    props.onFiles([...props.files.filter((file) => !names.has(file.name)), ...added]);
    if (input.current !== null) input.current.value = "";
  };
  return (
    <div className={styles.files}>
      <label htmlFor={id} className={styles.filesLabel}>
        Input files
      </label>
      <input
        ref={input}
        id={id}
        type="file"
        multiple
        className={styles.fileInput}
        onChange={(event) => add(event.target.files)}
      />
      {props.files.length > 0 && (
        <ul>
          {props.files.map((file) => (
            <li key={file.name} className={styles.file}>
              <code>/input/{file.name}</code>
              <span>{formatBytes(file.size)}</span>
              <Button
                size="small"
                variant="ghost"
                onClick={() => props.onFiles(props.files.filter((other) => other !== file))}
              >
                Remove<span className="visually-hidden"> {file.name}</span>
              </Button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
