import type { Isolation } from "@dekuper/protocol";

/** One thing that was looked at. */
export interface DoctorCheck {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly hint?: string;
}
export interface DoctorReport {
  readonly checks: readonly DoctorCheck[];
  /** What the node may claim: what was proved, not what the cluster says of itself. */
  readonly isolation: Isolation;
}

export function passed(check: string, detail: string): DoctorCheck {
  return { check, ok: true, detail };
}

export function failed(check: string, detail: string, hint: string): DoctorCheck {
  return { check, ok: false, detail, hint };
}

/** What went wrong, in one line. */
export function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
}
