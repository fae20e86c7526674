"use client";

import Link from "next/link";
import { useParams } from "next/navigation";
import { isHex } from "viem";
import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Empty, PageHeader, Skeleton } from "../../ui/page.tsx";
import { useTask, useToken } from "../market/market-queries.ts";
import { TaskView } from "./task-view.tsx";

/** One task by its id (or its lease's). */
export function TaskPage() {
  const { id } = useParams<{ id: string }>();
  if (!isHex(id) || id.length !== 66) {
    return (
      <>
        <PageHeader title="Task" />
        <Empty title="Not a task" action={<Link href="/tasks">My tasks</Link>}>
          A task's id has 0x and 64 hex digits.
        </Empty>
      </>
    );
  }
  return <KnownTask id={id} />;
}

function KnownTask({ id }: { id: `0x${string}` }) {
  const { data: detail, error, refetch } = useTask(id);
  const token = useToken();
  if (detail === undefined && error !== null) {
    return (
      <>
        <PageHeader title="Task" />
        <ErrorNotice error={error} onRetry={() => void refetch()} />
      </>
    );
  }
  if (detail === undefined || token === undefined) {
    return (
      <>
        <PageHeader title="Task" />
        <p role="status">
          <span className="visually-hidden">Reading the task from the chain</span>
          <Skeleton height="12rem" />
        </p>
      </>
    );
  }
  return <TaskView detail={detail} token={token} />;
}
