#!/usr/bin/env node
/**
 * Checks a finished task without any of Dekuper's code: recomputes the output's digest from the files on disk and
 * recovers the attestation's signer.
 *
 *   npm run -s demo -- --json | node test/verify-result.mjs        (or: node test/verify-result.mjs demo.json)
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { verifyTypedData } from "ethers";

const demo = JSON.parse(readFileSync(process.argv[2] ?? 0, "utf8"));
const sha256 = (...parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest("hex");

/** Regular files below a folder, as paths relative to it. */
function* filesBelow(folder, prefix = "") {
  for (const entry of readdirSync(join(folder, prefix), { withFileTypes: true })) {
    const path = prefix === "" ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) yield* filesBelow(folder, path);
    else yield path;
  }
}

const manifest = [...filesBelow(demo.outputPath)]
  .map((path) => [Buffer.from(path), readFileSync(join(demo.outputPath, path))])
  .sort(([left], [right]) => Buffer.compare(left, right))
  .map(([path, content]) => `${sha256(content)} ${content.length} ${path}\n`)
  .join("");
const outputDigest = `0x${sha256(Buffer.from(demo.salt.slice(2), "hex"), manifest)}`;

const { domain, types, message } = demo.attestation;
const signer = verifyTypedData(domain, types, message, demo.signature);

const checks = [
  ["the files' digest is the one in the result", outputDigest === demo.outputDigest],
  ["the files' digest is the one that was attested", outputDigest === message.outputDigest],
  ["the attestation was signed by the node", signer.toLowerCase() === demo.node.toLowerCase()],
  ["the attestation is of this lease", message.leaseId === demo.leaseId && message.taskId === demo.taskId],
  [
    "the attestation is bound to this market",
    domain.verifyingContract.toLowerCase() === demo.contracts.taskRegistry.toLowerCase(),
  ],
  [
    "paid, fee and refund add up to the reservation",
    BigInt(demo.paid) + BigInt(demo.refunded) === BigInt(demo.reserved),
  ],
];
for (const [what, holds] of checks) console.log(`${holds ? "ok  " : "FAIL"} ${what}`);
console.log(JSON.stringify({ outputDigest, signer, ok: checks.every(([, holds]) => holds) }));
process.exitCode = checks.every(([, holds]) => holds) ? 0 : 1;
