import { isDekuperError } from "@dekuper/protocol";

/** Events with fields. */
export interface OracleLog {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/** An error as log fields. */
export function errorFields(error: unknown): object {
  if (isDekuperError(error)) return error.toJSON();
  return error instanceof Error ? { message: error.message, stack: error.stack } : { message: String(error) };
}
