import { join } from "node:path";
import {
  attestationTypedData,
  fetchDelivery,
  hasWon,
  type LeaseFacts,
  type ReceiptState,
  signerOf,
} from "@dekuper/client";
import { isDekuperError, type Outcome, outcomes } from "@dekuper/protocol";
import type { Command } from "commander";
import { formatBytes, plural, shortId } from "../../output/format.ts";
import { padEnd, printFields, widthOf } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";
import { leaseOfMember, MEMBER_OPTION, readMember } from "./members.ts";

/** Files that are listed by name. */
const LISTED = 20;

export function registerTaskFetch(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("fetch")
    .description("get the encrypted result, decrypt it, and check every file against the attestation")
    .argument("<task>", "task or lease id, or its beginning")
    .option(
      "--to <folder>",
      "where to (default: ./<name>-<id>); of several nodes, each into a folder of its own there, but of a quorum's one result",
    )
    .option("--force", "replace the folder if it exists")
    .option("--no-receipt", "give the node no signed receipt that you have the result")
    .option(MEMBER_OPTION, "only this one of several nodes", readMember);
  handle<{ to?: string; force?: boolean; receipt: boolean; member?: number }>(
    command,
    runtime,
    async (context, [text = ""], options): Promise<Answer> => {
      const { createDeliveryFolder, fileCiphertext } = await import("@dekuper/client/node");
      const market = await context.requireWallet("consumer");
      const folder = await context.folder();
      const id = await findTaskId({ text, market, folder, consumer: market.address });
      const found = await market.task(id);
      const { task } = found;
      const spec = await folder.loadSpec(task.taskId);
      const target = options.to ?? `${spec?.name ?? "task"}-${task.taskId.slice(2, 10)}`;
      const signer = signerOf(market.wallet);

      const fetchOne = async (lease: LeaseFacts, to: string) => {
        const place = await createDeliveryFolder(to, { replace: options.force === true });
        try {
          context.progress.step(isOne ? "finding the node" : `member ${lease.index}: finding the node`);
          const [peer, key] = [await connected(), await context.outputKey(signer)];
          const store = fileCiphertext(folder.ciphertextPath(lease.leaseId));
          const fetched = await fetchDelivery({
            market,
            peer,
            signer,
            key,
            id: lease.leaseId,
            store,
            sink: place.sink,
            spec,
            givesReceipt: options.receipt,
            signal: context.signal,
            onProgress: (got, size) =>
              context.progress.update(`fetching ${formatBytes(got)} of ${formatBytes(size)}`),
          });
          const at = await place.commit();
          await store.reset();
          context.progress.clear();
          const { attestation, signature } = fetched.accepted;
          return {
            taskId: task.taskId,
            leaseId: lease.leaseId,
            member: lease.index,
            node: fetched.node,
            outcome: outcomes[attestation.outcome] ?? ("unknown" as const),
            exitCode: attestation.exitCode,
            outputPath: at.output,
            logPath: at.log,
            files: fetched.files,
            skipped: fetched.skipped,
            attestation: attestationTypedData(fetched.accepted, market.network.deployment),
            signature,
            verified: true,
            receipt: fetched.receipt,
          };
        } catch (error) {
          await place.abort();
          throw error;
        }
      };
      let peer: ReturnType<typeof context.peer> | undefined;
      const connected = () => {
        peer ??= context.peer(market);
        return peer;
      };

      // A lease's own id, or --member, names one; a task of one lease has no other.
      const isOne = options.member !== undefined || found.leases.length === 1 || found.lease.leaseId === id;
      const approve = (out: Terminal) =>
        out.next(`dekuper task approve ${shortId(task.taskId).slice(0, -1)}`);
      const answer = (one: Awaited<ReturnType<typeof fetchOne>>): Answer => ({
        json: one,
        print: (out) => {
          print(out, one);
          if (found.leases[one.member]?.status === "Completed") approve(out);
        },
      });
      if (isOne) return answer(await fetchOne(leaseOfMember(found, options.member), target));
      if (found.ballot !== undefined) {
        // Replicas that have won hold the same: the first that gives it will do.
        const [first = found.lease, ...others] = found.leases.filter((lease) => hasWon(found, lease));
        const fetched = others.reduce(
          (got, lease) =>
            got.catch((error: unknown) => {
              if (!isDekuperError(error)) throw error;
              context.progress.done(`member ${lease.index} is asked instead: ${error.message}`);
              return fetchOne(lease, target);
            }),
          fetchOne(first, target),
        );
        return answer(await fetched);
      }
      const done = found.leases.filter(({ status }) => status === "Completed" || status === "Settled");
      const all: Awaited<ReturnType<typeof fetchOne>>[] = [];
      for (const lease of done.length === 0 ? [found.lease] : done)
        all.push(await fetchOne(lease, join(target, `member-${lease.index}`)));
      const missing = found.leases.filter((lease) => !done.includes(lease));
      return {
        json: {
          taskId: task.taskId,
          members: all,
          missing: missing.map(({ index, leaseId, state }) => ({ member: index, leaseId, state })),
        },
        print: (out) => {
          for (const one of all) {
            out.line(out.bold(`member ${one.member}`));
            print(out, one);
            out.line();
          }
          for (const { index, state } of missing)
            out.line(out.paint("yellow", `member ${index} has no output: it is ${state}`));
          if (done.some(({ status }) => status === "Completed")) approve(out);
        },
      };
    },
  );
}

interface Fetched {
  readonly node: string;
  readonly outcome: Outcome | "unknown";
  readonly exitCode: number;
  readonly outputPath: string;
  readonly logPath: string;
  readonly files: readonly { readonly path: string; readonly size: number }[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly receipt: ReceiptState;
}

/** What the node has to show for its delivery. */
function receiptOf({ receipt }: Fetched): string | undefined {
  switch (receipt.kind) {
    case "given":
      return "given to the node: it proves that you have the result";
    case "declined":
      return "none given";
    case "not-taken":
      return `not taken by the node: ${receipt.reason}`;
    case "not-needed":
      return undefined;
  }
}

function print(out: Terminal, fetched: Fetched): void {
  const { files, outcome, exitCode } = fetched;
  printFields(out, [
    ["outcome", `${outcome} (exit code ${exitCode})`],
    ["output", `${out.bold(fetched.outputPath)}  ${out.dim(plural(files.length, "file"))}`],
    ["log", fetched.logPath],
    ["verified", `every file and the log are as node ${fetched.node} attested`],
    ["receipt", receiptOf(fetched)],
  ]);
  if (files.length > 0) out.line();
  const listed = files.slice(0, LISTED);
  const width = Math.max(0, ...listed.map(({ path }) => widthOf(path)));
  for (const { path, size } of listed) out.line(`  ${padEnd(path, width)}  ${out.dim(formatBytes(size))}`);
  if (files.length > LISTED) out.line(out.dim(`  and ${files.length - LISTED} more`));
  for (const { reason, path } of fetched.skipped)
    out.line(out.paint("yellow", `  left out: ${path} (${reason})`));
}
