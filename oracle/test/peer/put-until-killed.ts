/** A process that puts a blob slowly and tells how far it has come, until it is killed. Arguments: folder, digest, size. */
import { setTimeout as sleep } from "node:timers/promises";
import { createBlobStore } from "../../src/peer/blob-store.ts";

const [dir = "", digest = "", size = "0"] = process.argv.slice(2);
const store = await createBlobStore({ dir, quotas: { minFreeBytes: 0 } });
const made = await store.create(); // what the node makes itself is in the middle of being written too
await made.write(Buffer.alloc(1000));

async function* slowly() {
  for (let at = 0; at < Number(size); at += 1000) {
    yield Buffer.alloc(1000, "x");
    await sleep(5);
    process.stdout.write(`${at + 1000}\n`);
  }
}
await store.put({ kind: "input", digest: digest as `0x${string}` }, Number(size), {
  owner: "host:10.0.0.1",
  offset: 0,
  bytes: slowly(),
});
