import type { Metadata } from "next";
import { SubmitPage } from "../../features/submit/submit-page.tsx";

export const metadata: Metadata = { title: "New task" };

export default function Page() {
  return <SubmitPage />;
}
