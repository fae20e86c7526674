import { DekuperError, type ErrorDetails } from "@dekuper/protocol";

/** Kubernetes' `Status`, as far as it decides something. */
export interface ApiStatus {
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
}

/** The API server's answer was not a success. Inside `cluster/` only; `asDekuperError` turns it into ours. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** Whether the API server said that there is no such object. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/** Whether someone else changed or made the object first. */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/** An answer's body as an error; the body is Kubernetes' `Status` or a proxy's text. */
export function apiError(status: number, body: string): ApiError {
  try {
    const parsed = JSON.parse(body) as ApiStatus;
    return new ApiError(status, parsed.reason ?? "", parsed.message ?? body.slice(0, 500));
  } catch {
    return new ApiError(status, "", body.slice(0, 500));
  }
}

/** Time-out, a list whose snapshot is too old to go on with, too many requests: the same call may succeed later. */
const PASSING: ReadonlySet<number> = new Set([408, 410, 429]);

/**
 * What a call's failure means. The API server's passing answers (5xx too) and everything below HTTP are
 * `CLUSTER_UNREACHABLE`: nothing is known, so nothing may be concluded. A clear no is `CLUSTER_REFUSED`.
 */
export function asDekuperError(error: unknown, doing: string, details: ErrorDetails = {}): DekuperError {
  if (error instanceof DekuperError) return error;
  if (error instanceof ApiError && error.status < 500 && !PASSING.has(error.status)) {
    return new DekuperError("CLUSTER_REFUSED", `The cluster refused to ${doing}: ${error.message}`, {
      details: { ...details, status: error.status, reason: error.reason },
      cause: error,
    });
  }
  const why = error instanceof Error ? error.message : String(error);
  return new DekuperError("CLUSTER_UNREACHABLE", `The Kubernetes API could not ${doing}: ${why}`, {
    details,
    cause: error,
  });
}
