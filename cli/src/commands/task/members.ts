import type { LeaseFacts, TaskSummary } from "@dekuper/client";
import { DekuperError } from "@dekuper/protocol";
import { InvalidArgumentError } from "commander";

/** `--member N`: which of a task's leases, counted from 0. */
export const MEMBER_OPTION = "--member <n>";

export function readMember(text: string): number {
  if (/^\d{1,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a member's number, from 0.");
}

/** The lease of a member: the named one, else the one whose id was given, else the first. */
export function leaseOfMember<Lease extends LeaseFacts>(
  task: Omit<TaskSummary, "leases" | "lease"> & { readonly leases: readonly Lease[]; readonly lease: Lease },
  member: number | undefined,
): Lease {
  if (member === undefined) return task.lease;
  const lease = task.leases[member];
  if (lease !== undefined) return lease;
  const last = task.leases.length - 1;
  throw new DekuperError("USAGE", `--member: got ${member}, expected ${last === 0 ? "0" : `0 to ${last}`}.`, {
    details: { got: member, last },
    hint: "`dekuper task show` lists the task's members.",
  });
}
