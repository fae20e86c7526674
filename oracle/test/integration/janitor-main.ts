import { stopCluster } from "../../../kubernetes/src/stop.ts";

/**
 * Started beside an embedded cluster, in a session of its own: when whoever holds its standard input has ended, however
 * (an exit, Ctrl-C, kill -9), it stops the cluster and removes the folder.
 */
const [stateDir = ""] = process.argv.slice(2);
for await (const _ of process.stdin);
await stopCluster(stateDir, { remove: true });
