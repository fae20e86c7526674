/**
 * `npm run bench [-- latency|gas|oracle] [--runs N] [--json]`: measures side by side with a baseline in the same run, prints a
 * table (or JSON on stdout) and, without a name or with --write, rewrites its part of docs/benchmarks.md. Never asserts a time.
 */
import { parseArgs } from "node:util";
import { type Report, writeReports } from "./lib/report.ts";

/** Each loads only what it measures: the gas bench starts a chain within this process as it loads. */
const benches: Readonly<Record<string, (runs: number) => Promise<Report>>> = {
  latency: async (runs) => (await import("./latency.ts")).measureLatency(runs),
  gas: async () => (await import("./gas.ts")).measureGas(),
  oracle: async () => (await import("./oracle.ts")).measureOracle(),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: "boolean", default: false },
    write: { type: "boolean", default: false },
    runs: { type: "string", default: "20" },
  },
});
const names = positionals.length > 0 ? positionals : Object.keys(benches);
const runs = Number(values.runs);
const unknown = names.find((name) => !(name in benches));
if (unknown !== undefined || !Number.isInteger(runs) || runs < 1) {
  console.error(
    unknown === undefined
      ? `--runs: got ${values.runs}, expected a whole number above 0`
      : `no such bench: ${unknown}; there are ${Object.keys(benches).join(", ")}`,
  );
  process.exit(2);
}

const reports: Report[] = [];
for (const name of names) {
  const bench = benches[name];
  if (bench === undefined) continue;
  const report = await bench(runs);
  reports.push(report);
  if (!values.json) console.log(`\n${report.title}\n\n${report.table}\n`);
}
if (values.json) {
  const json =
    reports.length === 1
      ? reports[0]?.json
      : Object.fromEntries(reports.map((report) => [report.name, report.json]));
  console.log(JSON.stringify(json));
}
if (values.write || positionals.length === 0) await writeReports(reports);
