/** The reasons for which the embedded cluster refuses or fails. Stable: callers may switch on them. */
export type KubernetesErrorCode =
  | "NOT_LINUX_ROOT"
  | "TOOL_MISSING"
  | "COMMAND_FAILED"
  | "BUILD_FAILED"
  | "IMAGE_FAILED"
  | "LOCK_HELD"
  | "NO_FREE_SUBNET"
  | "STATE_PATH_TOO_LONG"
  | "CLUSTER_RUNS"
  | "CLUSTER_FAILED"
  | "CLUSTER_NOT_STOPPED"
  | "API_FAILED";

export interface KubernetesErrorOptions {
  /** What decided, as plain values that survive JSON. */
  details?: Record<string, unknown>;
  /** The next thing a person should do. */
  hint?: string;
  cause?: unknown;
}

/** The only error this package throws on purpose. */
export class KubernetesError extends Error {
  override readonly name = "KubernetesError";
  readonly code: KubernetesErrorCode;
  readonly details: Record<string, unknown>;
  readonly hint: string | undefined;

  constructor(code: KubernetesErrorCode, message: string, options: KubernetesErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint;
  }
}

/** The system's error code (`ENOENT`, ...) of a caught value, if it has one. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
