/** A process that takes the state folder in its argument, says so, and keeps it until it is killed. */
import { openStateFolder } from "../../src/daemon/state-folder.ts";

try {
  const { instanceId } = openStateFolder(process.argv[2] ?? "");
  console.log(JSON.stringify({ instanceId }));
  setInterval(() => undefined, 1_000);
} catch (error) {
  console.log(JSON.stringify(error));
}
