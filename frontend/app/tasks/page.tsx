import type { Metadata } from "next";
import { TaskList } from "../../features/task/task-list.tsx";

export const metadata: Metadata = { title: "My tasks" };

export default function Page() {
  return <TaskList />;
}
