import { readFile } from "node:fs/promises";

export const dynamic = "force-dynamic";

const headers = { "cache-control": "no-store" };

/** The network file named by DEKUPER_NETWORK_FILE. It is read per request: `dekuper up` may write it after the server has started. */
export async function GET(): Promise<Response> {
  const file = process.env.DEKUPER_NETWORK_FILE;
  if (file === undefined || file === "") {
    return Response.json({ error: "DEKUPER_NETWORK_FILE is not set." }, { status: 404, headers });
  }
  try {
    const text = await readFile(/* turbopackIgnore: true */ file, "utf8");
    return new Response(text, { headers: { ...headers, "content-type": "application/json" } });
  } catch {
    return Response.json(
      { error: "The file that DEKUPER_NETWORK_FILE names cannot be read." },
      { status: 404, headers },
    );
  }
}
