import Link from "next/link";
import { Empty, PageHeader } from "../ui/page.tsx";

export default function NotFound() {
  return (
    <>
      <PageHeader title="Not found" />
      <Empty title="There is no such page" action={<Link href="/">Back to the network</Link>}>
        The address may be mistyped, or the link is older than this site.
      </Empty>
    </>
  );
}
