/** The daemon as a process of its own: `node oracle/src/main.ts CONFIG`. `dekuper oracle run` is the same. */
import { DekuperError } from "@dekuper/protocol";
import { loadConfig } from "./config/load.ts";
import { runOracle } from "./daemon/oracle.ts";

const [path] = process.argv.slice(2);
try {
  if (path === undefined) throw new DekuperError("USAGE", "Give the configuration file.");
  const oracle = await runOracle({ config: loadConfig(path) });
  const stop = () => void oracle.stop();
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    await oracle.ended;
  } finally {
    await oracle.stop(); // also when it had to end: what is left open would keep the process alive
  }
} catch (error) {
  const shown =
    error instanceof DekuperError ? `${error.message}\nhint: ${error.hint}\n(${error.code})` : String(error);
  process.stderr.write(`${shown}\n`);
  process.exitCode = 1;
}
