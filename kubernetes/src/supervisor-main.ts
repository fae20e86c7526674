// The process that owns one cluster: `node supervisor-main.ts --state DIR`, started by start.ts in a mount namespace
// of its own. SIGTERM and SIGINT stop the cluster.
import { parseArgs } from "node:util";
import { acquireLock } from "./file-lock.ts";
import { clusterLayout } from "./layout.ts";
import { type ClusterSettings, readJson } from "./settings.ts";
import { Supervisor } from "./supervisor.ts";

const { values } = parseArgs({ options: { state: { type: "string" } } });
const layout = clusterLayout(values.state ?? "");
const settings = readJson<ClusterSettings>(layout.clusterFile);
if (!settings) {
  console.error(`${layout.clusterFile} is missing: start a cluster by \`node kubernetes/src/main.ts up\``);
  process.exit(2);
}

const log = (event: string, fields: Record<string, unknown> = {}): void => {
  console.log(JSON.stringify({ time: new Date().toISOString(), event, ...fields }));
};

const lock = await acquireLock(layout.supervisorLock);
const supervisor = new Supervisor(layout, settings, log);

const end = async (exitCode: number): Promise<void> => {
  await supervisor.stop();
  lock.release();
  process.exit(exitCode);
};
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void end(0));
// A terminal that closes is no reason to stop: the cluster outlives the command that started it.
process.on("SIGHUP", () => log("hangup ignored"));

try {
  await supervisor.start();
  log("ready");
} catch (error) {
  log("failed", { error: error instanceof Error ? error.message : String(error) });
  await supervisor.stop();
  supervisor.fail(error);
  lock.release();
  process.exit(1);
}
