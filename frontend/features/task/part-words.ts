import type { TaskDetail } from "@dekuper/client";

/** What one of a task's several leases is called: members run as one, replicas each run the whole and are compared. */
export function partNoun({ ballot }: Pick<TaskDetail, "ballot">): "member" | "replica" {
  return ballot === undefined ? "member" : "replica";
}

/** As it begins a line. */
export function partTitle(detail: Pick<TaskDetail, "ballot">): "Member" | "Replica" {
  return partNoun(detail) === "member" ? "Member" : "Replica";
}
