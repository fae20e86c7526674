import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NetworkFixture, openNetwork } from "../../test/lib/network-fixture.ts";

/** One provider on one embedded cluster with busybox, one block a second: what the benches run on. */
export async function openBenchNetwork(): Promise<NetworkFixture> {
  return openNetwork({ stateDir: await mkdtemp(join(tmpdir(), "dekuper-bench-")), providers: 1 });
}
