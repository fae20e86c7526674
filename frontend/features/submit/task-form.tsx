"use client";

import { isolationClasses } from "@dekuper/protocol";
import { SelectField, TextArea, TextField } from "../../ui/field.tsx";
import type { Token } from "../../ui/money.ts";
import { Section } from "../../ui/page.tsx";
import { FilePicker } from "./file-picker.tsx";
import { type FormProblems, starts, type TaskForm } from "./form.ts";
import styles from "./submit.module.css";
import { TemplatePicker } from "./template-picker.tsx";

const ISOLATION: Record<string, string> = {
  container: "Container",
  "user-namespace": "User namespace",
  sandbox: "Sandbox (gVisor, Kata)",
  tee: "TEE",
};

interface TaskFormProps {
  readonly form: TaskForm;
  readonly problems: FormProblems;
  readonly files: readonly File[];
  readonly token: Token | undefined;
  readonly onChange: (form: TaskForm) => void;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Everything that task.yaml holds, in its units. */
export function TaskFormFields({ form, problems, files, token, onChange, onFiles }: TaskFormProps) {
  const field = (name: keyof TaskForm) => ({
    name,
    value: String(form[name]),
    error: problems[name],
    onChange: (event: { target: { value: string } }) => onChange({ ...form, [name]: event.target.value }),
  });
  const symbol = token?.symbol;
  return (
    <>
      <Section title="What runs">
        <TemplatePicker value={form.template} onChange={(template) => onChange(starts[template])} />
        <TextField
          label="Name"
          {...field("name")}
          hint="Lower-case letters, digits and -. Only for people."
        />
        {form.template === "container" && (
          <TextField
            label="Image"
            {...field("image")}
            placeholder="registry.example/name@sha256:…"
            hint="By digest, so that every node runs the same bytes."
          />
        )}
        <TextArea
          label={form.template === "pytorch" ? "Program (train.py)" : "Script (sh)"}
          {...field("script")}
          rows={form.template === "pytorch" ? 14 : 8}
          hint="What it writes to /output comes back to you, encrypted. Inputs are in /input."
        />
        <FilePicker files={files} onFiles={onFiles} />
      </Section>
      <Section title="Resources">
        <div className={styles.fields}>
          <TextField label="GPUs" {...field("gpu")} hint="0, 8x, or 8x with a model" />
          <TextField label="vCPUs" {...field("cpu")} inputMode="numeric" hint="Whole ones" />
          <TextField label="Memory" {...field("memory")} hint="Such as 512Mi or 64Gi" />
          <TextField label="Longest run" {...field("duration")} hint="Such as 30m or 6h. Pay stops there" />
        </div>
        <details className={styles.more}>
          <summary>More options</summary>
          <div className={styles.fields}>
            <TextField
              label="Nodes"
              {...field("nodes")}
              inputMode="numeric"
              hint="Several run it together, each with all of the above"
            />
            <TextField
              label="Results that must be alike"
              {...field("agree")}
              inputMode="numeric"
              placeholder="Not compared"
              hint="Such as 2 of 3 nodes: each runs all of it, and only those that agree are paid"
            />
            <TextField label="Storage" {...field("storage")} hint="Such as 10Gi" />
            <TextField label="Largest output" {...field("maxOutput")} hint="Such as 1Gi" />
            <SelectField label="Isolation, at least" {...field("isolation")}>
              {isolationClasses.map((name) => (
                <option key={name} value={name}>
                  {ISOLATION[name]}
                </option>
              ))}
            </SelectField>
            <TextField
              label="Rate an hour"
              {...field("rate")}
              suffix={symbol}
              inputMode="decimal"
              placeholder="As nodes ask"
              hint="For one node; the most that a quote may ask"
            />
            <TextField
              label="Reserve at first for"
              {...field("fund")}
              placeholder="All of it"
              hint="Such as 1h. You can fund more while it runs"
            />
          </div>
          <TextArea
            label="Environment"
            {...field("env")}
            rows={3}
            placeholder="EPOCHS=3"
            hint={`NAME=value, one a line. ${form.isPublic ? "Every registered node can read it: no secrets." : "Only nodes that get the key can read it."}`}
          />
        </details>
      </Section>
      <Section title="Money">
        <div className={styles.fields}>
          <TextField
            label="Budget"
            {...field("budget")}
            suffix={symbol}
            inputMode="decimal"
            hint="The task is not created if it may cost more."
          />
        </div>
      </Section>
    </>
  );
}
