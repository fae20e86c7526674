/** A whole daemon whose pods end at once, and that tells its steps until it is killed. Arguments: config, image. */
import { type OracleConfigInput, oracleConfigSchema } from "../../src/config/schema.ts";
import { runOracle } from "../../src/daemon/oracle.ts";
import { tarOf } from "../result/hand-made-tar.ts";
import { MemoryCluster } from "./memory-cluster.ts";

const [config = "{}", image = "", answer = ""] = process.argv.slice(2);
const cluster = new MemoryCluster([image]);
cluster.output = await tarOf([{ name: "answer", content: answer }]);
const quiet = () => undefined;
await runOracle({
  config: oracleConfigSchema.parse(JSON.parse(config) as OracleConfigInput),
  driver: cluster,
  log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
  onStep: (step) => {
    process.stdout.write(`${step}\n`);
    if (step === "started") cluster.exit(60);
  },
});
