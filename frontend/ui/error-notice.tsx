import { Button } from "./button.tsx";
import { describeError, isRejectedByUser } from "./describe-error.ts";
import { InlineCode } from "./inline-code.tsx";
import styles from "./notice.module.css";
import { Notice } from "./notice.tsx";

/** An error as sentence, hint and code. */
export function ErrorNotice({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  if (isRejectedByUser(error)) {
    return (
      <Notice tone="warning" alert>
        You declined in your wallet. Nothing was changed.
      </Notice>
    );
  }
  const { message, hint, code } = describeError(error);
  return (
    <Notice tone="bad" alert>
      <p className={styles.title}>{message}</p>
      <p>
        <InlineCode text={hint} /> <code className={styles.code}>{code}</code>
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
