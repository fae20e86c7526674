import { attestationTypedData, fetchDelivery, signerOf } from "@dekuper/client";
import { outcomes } from "@dekuper/protocol";
import type { Command } from "commander";
import { formatBytes, plural, shortId } from "../../output/format.ts";
import { padEnd, printFields, widthOf } from "../../output/table.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { findTaskId } from "../../task-id.ts";

/** Files that are listed by name. */
const LISTED = 20;

export function registerTaskFetch(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("fetch")
    .description("get the encrypted result, decrypt it, and check every file against the attestation")
    .argument("<task>", "task or lease id, or its beginning")
    .option("--to <folder>", "where to (default: ./<name>-<id>)")
    .option("--force", "replace the folder if it exists");
  handle<{ to?: string; force?: boolean }>(
    command,
    runtime,
    async (context, [text = ""], options): Promise<Answer> => {
      const { createDeliveryFolder, fileCiphertext } = await import("@dekuper/client/node");
      const market = await context.requireWallet("consumer");
      const folder = await context.folder();
      const id = await findTaskId({ text, market, folder, consumer: market.address });
      const { task, lease } = await market.task(id);
      const spec = await folder.loadSpec(task.taskId);
      const target = options.to ?? `${spec?.name ?? "task"}-${task.taskId.slice(2, 10)}`;
      const place = await createDeliveryFolder(target, { replace: options.force === true });
      try {
        context.progress.step("finding the node");
        const signer = signerOf(market.wallet);
        const [peer, key] = [await context.peer(market), await context.outputKey(signer)];
        const store = fileCiphertext(folder.ciphertextPath(lease.leaseId));
        const fetched = await fetchDelivery({
          market,
          peer,
          signer,
          key,
          id,
          store,
          sink: place.sink,
          spec,
          signal: context.signal,
          onProgress: (got, size) =>
            context.progress.update(`fetching ${formatBytes(got)} of ${formatBytes(size)}`),
        });
        const at = await place.commit();
        await store.reset();
        context.progress.clear();
        const { attestation } = fetched.accepted;
        const outcome = outcomes[attestation.outcome] ?? "unknown";
        return {
          json: {
            taskId: task.taskId,
            leaseId: lease.leaseId,
            node: fetched.node,
            outcome,
            exitCode: attestation.exitCode,
            outputPath: at.output,
            logPath: at.log,
            files: fetched.files,
            skipped: fetched.skipped,
            attestation: attestationTypedData(fetched.accepted, market.network.deployment),
            signature: fetched.accepted.signature,
            verified: true,
          },
          print: (out) => {
            printFields(out, [
              ["outcome", `${outcome} (exit code ${attestation.exitCode})`],
              ["output", `${out.bold(at.output)}  ${out.dim(plural(fetched.files.length, "file"))}`],
              ["log", at.log],
              ["verified", `every file and the log are as node ${fetched.node} attested`],
            ]);
            if (fetched.files.length > 0) out.line();
            const listed = fetched.files.slice(0, LISTED);
            const width = Math.max(0, ...listed.map(({ path }) => widthOf(path)));
            for (const { path, size } of listed) {
              out.line(`  ${padEnd(path, width)}  ${out.dim(formatBytes(size))}`);
            }
            if (fetched.files.length > LISTED)
              out.line(out.dim(`  and ${fetched.files.length - LISTED} more`));
            for (const { reason, path } of fetched.skipped)
              out.line(out.paint("yellow", `  left out: ${path} (${reason})`));
            if (lease.status === "Completed")
              out.next(`dekuper task approve ${shortId(task.taskId).slice(0, -1)}`);
          },
        };
      } catch (error) {
        await place.abort();
        throw error;
      }
    },
  );
}
