import { ErrorNotice } from "../../ui/error-notice.tsx";
import { Logo } from "../../ui/logo.tsx";
import styles from "./loading-shell.module.css";

/** What stands before the network is known. */
export function LoadingShell(props: { error?: Error | undefined; busy: boolean; onRetry: () => void }) {
  return (
    <main className={styles.shell}>
      <h1 className={styles.brand}>
        <Logo /> Dekuper
      </h1>
      {props.error === undefined || props.busy ? (
        <p role="status" className={styles.status}>
          Reading the network file
        </p>
      ) : (
        <ErrorNotice error={props.error} onRetry={props.onRetry} />
      )}
    </main>
  );
}
