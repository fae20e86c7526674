/** What a pod's clocks are set by, seconds. */
export interface PodClockTerms {
  readonly isGang: boolean;
  readonly startWindow: number;
  readonly grantWindow: number;
  readonly replaceWindow: number;
  readonly completionGrace: number;
  readonly outageGrace: number;
}

/**
 * The two clocks of a pod that need no oracle (rule 30): when its wrapper ends the run, and when the cluster ends the pod.
 * A member of a gang is not billed while it waits for the others to start, nor for a replacement that fetches its key and
 * starts: its pod has that time on top, and the oracle ends the run when the gang's own clock has run out.
 */
export function podClocks(
  terms: PodClockTerms,
  maxSeconds: number,
): { readonly runSeconds: number; readonly deadlineSeconds: number } {
  const { startWindow, grantWindow, replaceWindow, completionGrace, outageGrace } = terms;
  const start = startWindow + outageGrace;
  const waits = terms.isGang ? start + replaceWindow + outageGrace + grantWindow + start : 0;
  const runSeconds = waits + maxSeconds;
  return { runSeconds, deadlineSeconds: startWindow + runSeconds + completionGrace + outageGrace };
}
