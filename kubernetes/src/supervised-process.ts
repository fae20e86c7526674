import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Component } from "./components.ts";
import { inNetworkNamespace } from "./network.ts";
import { signalProcess } from "./processes.ts";
import type { ComponentStatus } from "./settings.ts";

export interface SupervisionOptions {
  netnsPath: string;
  logDir: string;
  /** Called at each start and each death. */
  onChange: () => void;
  /** Called with the exit of a process that was not asked to stop. */
  onCrash: (name: string, exit: string, restartInMs: number) => void;
}

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** A process that lived this long starts over with the shortest wait. */
const STEADY_MS = 60_000;
const KEPT_LOG_BYTES = 64 << 20;

/** The wait before the next start of a process that died; pure. */
export function nextBackoff(previousMs: number | undefined, livedMs: number): number {
  if (previousMs === undefined || livedMs >= STEADY_MS) return FIRST_BACKOFF_MS;
  return Math.min(previousMs * 2, LONGEST_BACKOFF_MS);
}

/** Keeps one component running in the cluster's network namespace until `stop`. */
export class SupervisedProcess {
  readonly name: string;
  readonly #component: Component;
  readonly #options: SupervisionOptions;
  #child: ChildProcess | undefined;
  #restarts = 0;
  #backoffMs: number | undefined;
  #stopping = false;
  #restartTimer: NodeJS.Timeout | undefined;

  constructor(component: Component, options: SupervisionOptions) {
    this.name = component.name;
    this.#component = component;
    this.#options = options;
  }

  status(): ComponentStatus {
    return { name: this.name, pid: this.#child?.pid, restarts: this.#restarts };
  }

  start(): void {
    const log = openLog(join(this.#options.logDir, `${this.name}.log`));
    const [program = "", ...args] = inNetworkNamespace(this.#options.netnsPath, this.#component.command);
    const startedAt = Date.now();
    // A session of its own: a terminal's Ctrl-C is for the supervisor, which stops its children in order.
    const child = spawn(program, args, {
      env: this.#component.env,
      stdio: ["ignore", log, log],
      detached: true,
    });
    closeSync(log);
    this.#child = child;
    let ended = false;
    const onEnd = (exit: string): void => {
      if (ended) return;
      ended = true;
      this.#child = undefined;
      if (!this.#stopping) this.#restartLater(exit, Date.now() - startedAt);
      this.#options.onChange();
    };
    child.on("error", (error) => onEnd(error.message));
    child.on("exit", (code, signal) => onEnd(signal ?? `exit status ${code}`));
    this.#options.onChange();
  }

  /** Asks the process to end, and ends it when it has not within `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    if (!child?.pid) return;
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    signalProcess(child.pid, "SIGTERM");
    await Promise.race([gone, delay(graceMs, undefined, { ref: false })]);
    if (this.#child) signalProcess(child.pid, "SIGKILL");
    await gone;
  }

  #restartLater(exit: string, livedMs: number): void {
    this.#backoffMs = nextBackoff(this.#backoffMs, livedMs);
    this.#options.onCrash(this.name, exit, this.#backoffMs);
    this.#restartTimer = setTimeout(() => {
      this.#restarts += 1;
      this.start();
    }, this.#backoffMs);
  }
}

/** Opens a log for appending; one that grew large makes room first. */
function openLog(path: string): number {
  if (existsSync(path) && statSync(path).size > KEPT_LOG_BYTES) renameSync(path, `${path}.1`);
  return openSync(path, "a");
}
