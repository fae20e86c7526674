"use client";

import type { OrderPath } from "@dekuper/client";
import { useRouter } from "next/navigation";
import { type FormEvent, useMemo, useRef, useState } from "react";
import { useConnection } from "wagmi";
import { Button } from "../../ui/button.tsx";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Card, PageHeader } from "../../ui/page.tsx";
import { useAccountInfo, useToken } from "../market/market-queries.ts";
import { WalletButton } from "../wallet/wallet-button.tsx";
import { type FormProblems, readForm, starts, type TaskForm } from "./form.ts";
import { PlanPanel } from "./plan-panel.tsx";
import { SubmitProgress } from "./progress.tsx";
import { Readers } from "./readers.tsx";
import styles from "./submit.module.css";
import { TaskFormFields } from "./task-form.tsx";
import { usePlan } from "./use-plan.ts";
import { useQuotes } from "./use-quotes.ts";
import { useSubmit } from "./use-submit.ts";

/** Order a task: the form left, its plan right, and one button. */
export function SubmitPage() {
  const router = useRouter();
  const { address } = useConnection();
  const token = useToken();
  const { data: account } = useAccountInfo(address);
  const [form, setForm] = useState(starts.batch);
  const [files, setFiles] = useState<readonly File[]>([]);
  const [tried, setTried] = useState(false);
  const plan = useRef<HTMLDivElement>(null);
  const [wanted, setWanted] = useState<OrderPath>("quoted");
  const { file, problems } = useMemo(() => readForm(form), [form]);
  const live = usePlan(file, form, files);
  const quotes = useQuotes(live);
  // The open path takes one node, and any: so any has to be able to read the task.
  const path = !form.isPublic || (live.plan?.leases ?? 1) > 1 ? "quoted" : wanted;
  const setPublic = (isPublic: boolean) => {
    setForm({ ...form, isPublic });
    if (!isPublic) setWanted("quoted");
  };
  const submission = useSubmit(({ taskId }) => router.push(`/tasks/${taskId}`));
  const isAsking = path === "quoted" && quotes.isAsking;
  const cost = path === "quoted" ? quotes.quoted : live.plan;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setTried(true);
    if (file === undefined) focusFirstProblem(event.currentTarget, problems);
    else if (cost !== undefined && cost.problem === undefined)
      submission.mutate({ form, file, files, path, quoted: quotes.quoted, atMost: cost.atMost });
    else plan.current?.focus();
  };
  return (
    <>
      <PageHeader title="New task" lead="Choose a template, say what it may use, and see who would run it." />
      <form className={styles.layout} onSubmit={submit} noValidate>
        <div>
          <TaskFormFields
            form={form}
            problems={tried ? problems : onlyTyped(problems, form)}
            files={files}
            token={token}
            onChange={setForm}
            onFiles={setFiles}
          />
        </div>
        <aside className={styles.side} aria-label="Plan">
          <Card>
            <div ref={plan} tabIndex={-1}>
              <PlanPanel
                live={live}
                quotes={quotes}
                path={path}
                isPublic={form.isPublic}
                onPath={(to) => {
                  setWanted(to);
                  if (to === "open") setPublic(true);
                }}
                token={token}
                free={account?.free}
              />
            </div>
          </Card>
          <Card>
            <Readers isPublic={form.isPublic} onChange={setPublic} />
          </Card>
          {address === undefined ? (
            <WalletButton large />
          ) : (
            <Button
              type="submit"
              variant="primary"
              size="large"
              busy={submission.isPending}
              disabled={isAsking}
            >
              Create task
            </Button>
          )}
          {tried && cost?.problem !== undefined && (
            <p className={styles.blocked}>Nothing is ordered while the plan says what is in the way.</p>
          )}
          {submission.progress !== undefined && !submission.isIdle && (
            <SubmitProgress progress={submission.progress} failed={submission.isError} />
          )}
          {submission.error !== null && <ErrorNotice error={submission.error} />}
        </aside>
      </form>
    </>
  );
}

/** Before the first try, an empty field is not a mistake yet. */
function onlyTyped(problems: FormProblems, form: TaskForm): FormProblems {
  return Object.fromEntries(
    Object.entries(problems).filter(([field]) => form[field as keyof TaskForm] !== ""),
  );
}

function focusFirstProblem(form: HTMLFormElement, problems: FormProblems): void {
  const [first] = Object.keys(problems);
  const element = first === undefined ? null : form.elements.namedItem(first);
  if (element instanceof HTMLElement) element.focus();
}
