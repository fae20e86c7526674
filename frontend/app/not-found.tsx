import Link from "next/link";
import { Empty } from "../ui/page.tsx";

export default function NotFound() {
  return (
    <Empty title="There is no such page" action={<Link href="/">Back to the network</Link>}>
      The address may be mistyped, or the link is older than this site.
    </Empty>
  );
}
