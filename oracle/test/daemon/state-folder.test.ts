import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DekuperError } from "@dekuper/protocol";
import { openStateFolder } from "../../src/daemon/state-folder.ts";

const program = fileURLToPath(new URL("./hold-state-folder.ts", import.meta.url));
const folders: string[] = [];
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function aFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dekuper-state-"));
  folders.push(folder);
  return folder;
}

/** Another process that tries to take the folder, and what it said. */
async function otherProcess(
  folder: string,
): Promise<{ pid: number; said: Record<string, unknown>; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [program, folder], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  for await (const line of createInterface({ input: child.stdout }))
    return {
      pid: child.pid ?? 0,
      said: JSON.parse(line),
      kill: () => {
        child.kill("SIGKILL");
        return ended;
      },
    };
  throw new Error("the process said nothing");
}

function lockedBy(folder: string): DekuperError | undefined {
  try {
    openStateFolder(folder).release();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof DekuperError);
    return error;
  }
}

describe("a state folder", () => {
  it("is one process's: a second one is told who holds it", async () => {
    const folder = aFolder();
    const holder = await otherProcess(folder);
    const error = lockedBy(folder);
    assert.equal(error?.code, "STATE_LOCKED");
    assert.equal(error?.details.pid, String(holder.pid));
    assert.match(error?.message ?? "", new RegExp(`Process ${holder.pid} uses the state folder`));
    await holder.kill();
  });

  it("stays with a process whose pid means nothing here: in another container it is another's, or nobody's", async () => {
    const folder = aFolder();
    const holder = await otherProcess(folder);
    writeFileSync(join(folder, "lock"), "4000000 1");
    const error = lockedBy(folder);
    assert.equal(error?.code, "STATE_LOCKED");
    assert.match(error?.message ?? "", /A process in another container uses the state folder/);
    await holder.kill();
    assert.equal(lockedBy(folder), undefined);
  });

  it("is taken over from a process that was killed, at once and with its instance id", async () => {
    const folder = aFolder();
    const holder = await otherProcess(folder);
    await holder.kill();
    const taken = openStateFolder(folder);
    assert.equal(taken.instanceId, holder.said.instanceId);
    const second = await otherProcess(folder);
    assert.equal(second.said.code, "STATE_LOCKED");
    assert.deepEqual(second.said.details, { pid: String(process.pid), dir: folder });
    taken.release();
    assert.equal(lockedBy(folder), undefined);
  });

  it("is taken over when the pid in the lock is another process's now", () => {
    const folder = aFolder();
    writeFileSync(join(folder, "lock"), `${process.pid} 1`);
    assert.equal(lockedBy(folder), undefined);
  });

  it("is taken over from a lock that says nothing", () => {
    for (const content of ["", "garbage", "12"]) {
      const folder = aFolder();
      writeFileSync(join(folder, "lock"), content);
      assert.equal(lockedBy(folder), undefined, content);
    }
  });

  it("goes to exactly one of those who find a stale lock together", async () => {
    const folder = aFolder();
    writeFileSync(join(folder, "lock"), "4000000 1");
    const all = await Promise.all(Array.from({ length: 4 }, () => otherProcess(folder)));
    const winners = all.filter(({ said }) => said.instanceId !== undefined);
    assert.equal(winners.length, 1);
    const losers = all.filter(({ said }) => said.code === "STATE_LOCKED");
    assert.equal(losers.length, 3);
    const [pid] = readFileSync(join(folder, "lock"), "utf8").split(" ");
    assert.equal(pid, String(winners[0]?.pid));
    assert.deepEqual(readdirSync(folder).toSorted(), ["instance-id", "lock", "lock.sqlite"]);
    await Promise.all(all.map(({ kill }) => kill()));
  });

  it("has an instance id of its own that stays", () => {
    const [one, two] = [aFolder(), aFolder()];
    const idOf = (folder: string) => {
      const { instanceId, release } = openStateFolder(folder);
      release();
      return instanceId;
    };
    assert.match(idOf(one), /^[0-9a-f]{32}$/);
    assert.equal(idOf(one), idOf(one));
    assert.notEqual(idOf(one), idOf(two));
  });
});
