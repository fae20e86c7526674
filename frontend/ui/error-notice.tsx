import { Button } from "./button.tsx";
import { describeError } from "./describe-error.ts";
import styles from "./notice.module.css";
import { Notice } from "./notice.tsx";

/** An error as sentence, hint and code. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const { message, hint, code } = describeError(error);
  return (
    <Notice tone="bad" alert>
      <p className={styles.title}>{message}</p>
      <p>
        {hint} <code className={styles.code}>{code}</code>
      </p>
      {onRetry !== undefined && (
        <div className={styles.actions}>
          <Button size="small" onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
    </Notice>
  );
}
