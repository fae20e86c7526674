import { catalogue, type ErrorCode } from "./error-catalogue.ts";

/** Plain values that decided; printed with the error and logged as fields. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | bigint | null | undefined>>;

/**
 * The one error type of everything that runs: a stable code with a heading in `docs/errors.md`, one sentence,
 * the values that decided, what to do next, and whether the same call may succeed later.
 */
export class DekuperError extends Error {
  override readonly name = "DekuperError";
  readonly code: ErrorCode;
  readonly details: ErrorDetails;
  readonly hint: string;
  readonly retryable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; hint?: string; retryable?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
    this.hint = options.hint ?? catalogue[code].hint;
    this.retryable = options.retryable ?? catalogue[code].retryable;
  }

  /** What `--json` prints. */
  toJSON(): Record<string, unknown> {
    const details = Object.fromEntries(
      Object.entries(this.details).map(([key, value]) => [
        key,
        typeof value === "bigint" ? value.toString() : value,
      ]),
    );
    return { code: this.code, message: this.message, details, hint: this.hint, retryable: this.retryable };
  }
}

/** Narrows anything thrown to one of ours with this code. */
export function isDekuperError(error: unknown, code?: ErrorCode): error is DekuperError {
  return error instanceof DekuperError && (code === undefined || error.code === code);
}
