import type { Command } from "commander";
import type { Runtime } from "../../run.ts";
import { registerTaskApprove } from "./approve.ts";
import { registerTaskCancel } from "./cancel.ts";
import { registerTaskClaim } from "./claim.ts";
import { registerTaskEnforcement } from "./enforce.ts";
import { registerTaskFetch } from "./fetch.ts";
import { registerTaskHandKey } from "./hand-key.ts";
import { registerTaskList } from "./list.ts";
import { registerTaskLogs } from "./logs.ts";
import { registerTaskPlan } from "./plan.ts";
import { registerTaskReportEquivocation } from "./report-equivocation.ts";
import { registerTaskShow } from "./show.ts";
import { registerTaskSubmit } from "./submit.ts";
import { registerTaskTopUp } from "./top-up.ts";
import { registerTaskWatch } from "./watch.ts";

export function registerTaskCommands(program: Command, runtime: Runtime): void {
  const task = program
    .command("task")
    .description("tasks: plan, submit, list, show, logs, fetch, top-up, cancel, approve, ...");
  registerTaskPlan(task, runtime);
  registerTaskSubmit(task, runtime);
  registerTaskList(task, runtime);
  registerTaskShow(task, runtime);
  registerTaskLogs(task, runtime);
  registerTaskFetch(task, runtime);
  registerTaskTopUp(task, runtime);
  registerTaskWatch(task, runtime);
  registerTaskHandKey(task, runtime);
  registerTaskCancel(task, runtime);
  registerTaskApprove(task, runtime);
  registerTaskClaim(task, runtime);
  registerTaskEnforcement(task, runtime);
  registerTaskReportEquivocation(task, runtime);
}
