"use client";

import { ErrorNotice } from "../ui/error-notice.tsx";

/** A page that broke: the rest of the site goes on. */
export default function PageError({ error, reset }: { error: Error; reset: () => void }) {
  return <ErrorNotice error={error} onRetry={reset} />;
}
