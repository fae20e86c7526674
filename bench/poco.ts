/**
 * `node bench/poco.ts FOLDER`: measures a task's life on iExec's PoCo, deployed on our own chain from the unpacked npm package
 * (`npm pack @iexec/poco@6.1.0`), and writes bench/gas/poco.json, which `npm run bench -- gas` sets beside our own figures.
 * The package is no dependency: it would bring others from git.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { measurePoco } from "./gas/poco-life.ts";

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  console.error("usage: node bench/poco.ts FOLDER, the unpacked npm package @iexec/poco");
  process.exit(2);
}
const { name, version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
const measured = { package: `${name}@${version}`, ...(await measurePoco(folder)) };
await writeFile(new URL("./gas/poco.json", import.meta.url), `${JSON.stringify(measured, null, 2)}\n`);
console.log(JSON.stringify(measured, null, 2));
