import { type ChildProcess, spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { root } from "../lib/run-suite.ts";

/** How a set-up ended: one of the two is null. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A set-up that runs, in a process group of its own. */
export interface SetUp {
  readonly child: ChildProcess;
  readonly ended: Promise<End>;
  /** The same once its output is whole too: no program of its is left that writes there. */
  readonly closed: Promise<End>;
  stdout(): string;
  stderr(): string;
}

/** A stand-in's own work, after it has noted its arguments and waited at the gate. */
const STAND_INS = {
  go: "echo go version go1.26.0 linux/amd64",
  // dpkg knows what lies in installed/; apt-get puts there what it is asked for by name.
  "dpkg-query": '[ -e "$PROJECT/installed/$3" ] && printf installed',
  dpkg: "",
  "apt-get": 'case "$*" in *install*) for name; do :; done; touch "$PROJECT/installed/$name" ;; esac',
  npm: `case "$1" in
    ci) mkdir -p node_modules && cp package-lock.json node_modules/content ;;
    install) mkdir -p "$3/node_modules/node/bin" && cp "$PROJECT/node-24" "$3/node_modules/node/bin/node" ;;
  esac`,
} as const;

export type StandIn = keyof typeof STAND_INS;

/** A folder with set-up, a package list and a command of its own, its own cache, and stand-ins first on the PATH. */
export class Project {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static create(
    t: TestContext,
    wish: { packages?: readonly string[]; standIns?: readonly StandIn[] } = {},
  ): Project {
    const project = new Project(mkdtempSync(join(tmpdir(), "dekuper-set-up-")));
    const started: SetUp[] = [];
    project.#started = started;
    t.after(async () => {
      project.openGate();
      for (const { child } of started) project.#killGroup(child);
      await Promise.all(started.map(({ closed }) => closed));
      await rm(project.dir, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    });
    chmodSync(project.dir, 0o777);
    for (const folder of ["scripts", "bin", "installed", "asked"]) mkdirSync(project.path(folder));
    copyFileSync(join(root, "scripts", "setup.mjs"), project.path("scripts", "setup.mjs"));
    writeFileSync(project.path("scripts", "debian-packages.txt"), (wish.packages ?? []).join("\n"));
    writeFileSync(
      project.path("package.json"),
      JSON.stringify({ name: "tiny", version: "1.0.0", private: true }),
    );
    project.writeLock("first");
    project.#write("node-24", `[ "$1" = --version ] && echo v24.21.0 || exec "${process.execPath}" "$@"`);
    for (const name of wish.standIns ?? ["go", "npm", "dpkg", "dpkg-query", "apt-get"]) project.replace(name);
    return project;
  }

  #started: SetUp[] = [];

  path(...parts: string[]): string {
    return join(this.dir, ...parts);
  }

  writeLock(content: string): void {
    writeFileSync(this.path("package-lock.json"), content);
  }

  writeCommand(text: string): void {
    writeFileSync(this.path("command.mjs"), text);
  }

  /** Puts a program on the PATH that notes what it is asked, and waits while the gate is shut. */
  replace(name: StandIn, work: string = STAND_INS[name]): void {
    const isQuery = name === "go" || name === "dpkg-query";
    const lines = [
      `PROJECT="${this.dir}"`,
      ...(isQuery
        ? []
        : [
            `echo "$*" >> "$PROJECT/asked/${name}"`,
            `mkdir "$PROJECT/busy-${name}" || echo "two at once" >> "$PROJECT/asked/${name}"`,
            'while [ -e "$PROJECT/gate" ]; do sleep 0.05; done',
          ]),
      work,
      ...(isQuery ? [] : [`code=$?; rmdir "$PROJECT/busy-${name}"; exit $code`]),
    ];
    this.#write(join("bin", name), lines.join("\n"));
  }

  shutGate(): void {
    writeFileSync(this.path("gate"), "");
  }

  openGate(): Promise<void> {
    return rm(this.path("gate"), { force: true });
  }

  /** What a stand-in was asked, a line a call. */
  asked(name: StandIn): string[] {
    const file = this.path("asked", name);
    return existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [];
  }

  /** Starts set-up. `preload` is a line of JavaScript that runs in it first. */
  start(args: readonly string[] = [], wish: { node?: string; preload?: string } = {}): SetUp {
    const preload = wish.preload === undefined ? [] : ["--import", `data:text/javascript,${wish.preload}`];
    const child = spawn(
      wish.node ?? process.execPath,
      [...preload, this.path("scripts", "setup.mjs"), ...args],
      {
        cwd: tmpdir(),
        detached: true,
        env: {
          PATH: [this.path("bin"), process.env.PATH].join(delimiter),
          HOME: this.dir,
          XDG_CACHE_HOME: this.path("cache"),
        },
      },
    );
    const output = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      child[name].setEncoding("utf8").on("data", (text: string) => {
        output[name] += text;
      });
    }
    const upon = (event: "exit" | "close") =>
      new Promise<End>((resolve, reject) => {
        child.once("error", reject).once(event, (code, signal) => resolve({ code, signal }));
      });
    const started: SetUp = {
      child,
      ended: upon("exit"),
      closed: upon("close"),
      stdout: () => output.stdout,
      stderr: () => output.stderr,
    };
    this.#started.push(started);
    return started;
  }

  /** Kills it with everything that it has started, as a power cut would. */
  async killAll(setUp: SetUp): Promise<void> {
    this.#killGroup(setUp.child);
    await setUp.closed;
    for (const name of ["npm", "apt-get", "dpkg"])
      await rm(this.path(`busy-${name}`), { recursive: true, force: true });
  }

  #killGroup(child: ChildProcess): void {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // the group has ended
    }
  }

  #write(name: string, script: string): void {
    writeFileSync(this.path(name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  }
}

/** Waits for what must come; nothing here takes longer on a slow machine than this. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(20);
  }
}
