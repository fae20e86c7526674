#!/usr/bin/env node
/**
 * Set-up without dependencies, for plain Node >= 18: brings Debian packages, Node 24 and the npm packages, then hands on.
 *
 *   node scripts/setup.mjs [--with-browser] [-- FILE ARGS...]     FILE runs under Node 24 with this terminal
 *
 * Every step is cached by content, resumable, and safe to interrupt or to run twice at once: a step's result counts once
 * it is whole, and is made under a lock that the kernel frees. Progress goes to stderr, so that stdout stays the command's.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants, homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const NODE_VERSION = "24.21.0";
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cacheDir = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "dekuper");
const separator = process.argv.indexOf("--");
const options = process.argv.slice(2, separator < 0 ? undefined : separator);
const command = separator < 0 ? [] : process.argv.slice(separator + 1);

class SetupError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

try {
  await installDebianPackages(options.includes("--with-browser"));
  requireGo();
  const node = await bringNode();
  await installPackages(node);
  if (command.length > 0) handOn(node, command);
} catch (thrown) {
  const error = thrown.syscall
    ? new SetupError(
        `${thrown.message}.`,
        "Make room there, or the folder writable; XDG_CACHE_HOME moves the cache.",
      )
    : thrown;
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\nset-up: ${error.message}\nhint: ${error.hint}\n(SETUP_FAILED)\n`);
  process.exit(1);
}

/** Installs what the package lists name and the machine lacks; only as root, else says which. */
async function installDebianPackages(withBrowser) {
  const lists = ["scripts/debian-packages.txt", "kubernetes/debian-packages.txt"];
  if (withBrowser) lists.push("frontend/debian-packages.txt");
  const wanted = new Set(
    lists
      .filter((list) => existsSync(join(root, list)))
      .flatMap((list) => readFileSync(join(root, list), "utf8").split("\n"))
      .map((line) => line.split("#")[0].trim())
      .filter(Boolean),
  );
  const isMissing = (name) => !isInstalled(name);
  const lacks = [...wanted].filter(isMissing);
  if (lacks.length === 0) return;
  if (process.getuid() !== 0) {
    throw new SetupError(
      `these Debian packages are missing: ${lacks.join(" ")}.`,
      `Run as root: apt-get install --no-install-recommends ${lacks.join(" ")}`,
    );
  }
  await withLock("debian-packages", async (lock) => {
    const missing = lacks.filter(isMissing);
    if (missing.length === 0) return;
    say(`installing ${missing.length} Debian packages: ${missing.join(" ")}`);
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = ["-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"];
    // The lists' lock has no timeout. The other two may start daemons, which would keep ours.
    await run("apt-get", [...apt, "update"], { env, lock });
    await run("dpkg", ["--configure", "-a"], { env });
    await run("apt-get", [...apt, "install", "--yes", "--no-install-recommends", ...missing], { env });
  });
}

function isInstalled(name) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format, not a template
  const query = spawnSync("dpkg-query", ["-W", "-f=${db:Status-Status}", name], { encoding: "utf8" });
  if (query.error) throw new SetupError("this machine has no dpkg.", "Dekuper's local network needs Debian.");
  return query.stdout === "installed";
}

/** The embedded cluster is built from Go modules. */
function requireGo() {
  process.env.PATH = [process.env.PATH, "/usr/local/go/bin", "/usr/lib/go/bin"].join(delimiter);
  const version = /go(\d+)\.(\d+)/.exec(spawnSync("go", ["version"], { encoding: "utf8" }).stdout ?? "");
  if (version && (Number(version[1]) > 1 || Number(version[2]) >= 26)) return;
  throw new SetupError(
    version
      ? `Go ${version[1]}.${version[2]} is too old to build the embedded cluster.`
      : "there is no Go on the PATH.",
    "Install Go 1.26 or newer.",
  );
}

/** The running Node if it is new enough, else Node 24 out of the npm package that carries its binary. */
async function bringNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 9)) return process.execPath;
  const home = join(cacheDir, `node-${NODE_VERSION}`);
  const binary = join(home, "bin", "node");
  if (existsSync(binary)) return binary;
  await withLock("node", async (lock) => {
    if (existsSync(binary)) return;
    say(`bringing Node ${NODE_VERSION} (this is ${process.versions.node})`);
    const staging = join(cacheDir, "node-staging");
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging, { recursive: true });
    const quiet = ["--no-save", "--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", ["install", "--prefix", staging, ...quiet, `node@${NODE_VERSION}`], { lock });
    const packed = join(staging, "node_modules", "node");
    const brought = spawnSync(join(packed, "bin", "node"), ["--version"], { encoding: "utf8" });
    if (brought.stdout?.trim() !== `v${NODE_VERSION}`) {
      throw new SetupError(
        `the npm package node@${NODE_VERSION} brought no working binary.`,
        "Install Node 24 yourself.",
      );
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(packed, home);
    rmSync(staging, { recursive: true, force: true });
  });
  return binary;
}

/** `npm ci` under the chosen Node, once for each content of the lock file. */
async function installPackages(node) {
  const lockFile = readFileSync(join(root, "package-lock.json"));
  const stamp = createHash("sha256").update(lockFile).update(NODE_VERSION).digest("hex");
  const stampFile = join(root, "node_modules", ".dekuper-setup");
  const isFresh = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (isFresh()) return;
  const key = createHash("sha256").update(root).digest("hex").slice(0, 12);
  await withLock(`packages-${key}`, async (lock) => {
    if (isFresh()) return;
    say("installing the npm packages (npm ci)");
    rmSync(stampFile, { force: true });
    const quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", ["ci", ...quiet], { cwd: root, env: withNode(node), lock });
    mkdirSync(dirname(stampFile), { recursive: true });
    writeFileSync(stampFile, stamp);
  });
}

/** Runs the file under Node 24 with this terminal, and ends as it ends. */
function handOn(node, [file, ...args]) {
  const [child, release] = spawnForwarding(
    node,
    ["--disable-warning=ExperimentalWarning", join(root, file), ...args],
    {
      stdio: "inherit",
      env: withNode(node),
    },
  );
  child.on("exit", (code, signal) => {
    release();
    if (signal) endBy(signal);
    process.exit(code);
  });
}

/**
 * Starts a program and passes on to it what is sent to this process alone: Ctrl-C reaches a terminal's whole foreground
 * group by itself. The handlers stand before the program does, so that no signal falls between the two.
 */
function spawnForwarding(file, args, options, note) {
  let child;
  const handlers = ["SIGINT", "SIGTERM", "SIGHUP"].map((signal) => {
    const handler = () => {
      note?.(signal);
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    process.on(signal, handler);
    return () => process.off(signal, handler);
  });
  child = spawn(file, args, options);
  const release = () => {
    for (const off of handlers) off();
  };
  return [child, release];
}

/** Ends by this signal; as process 1, which such a signal does not end, with the exit code that a shell gives it. */
function endBy(signal) {
  process.kill(process.pid, signal);
  process.exit(128 + constants.signals[signal]);
}

function withNode(node) {
  return { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };
}

/**
 * Runs `step` while no other set-up does. The lock is flock(2)'s: it belongs to the open file, which a step's programs
 * inherit. So it outlives this process while they work on, and is free as soon as all of them are gone.
 */
async function withLock(name, step) {
  const file = join(cacheDir, "locks", `${name}.lock`);
  mkdirSync(dirname(file), { recursive: true });
  const lock = openSync(file, "a");
  try {
    if (!flock(lock, "--nonblock")) {
      say(`waiting for another set-up (${file})`);
      flock(lock);
    }
    return await step(lock);
  } finally {
    closeSync(lock);
  }
}

/** Whether the lock is ours now; without options it is waited for. */
function flock(lock, ...options) {
  const done = spawnSync("flock", ["--exclusive", ...options, "3"], { stdio: ["ignore", 2, 2, lock] });
  if (done.status === 0) return true;
  if (done.status === 1 && options.length > 0) return false;
  throw new SetupError(
    `no lock could be taken (flock: ${done.error?.code ?? done.signal ?? done.status}).`,
    "Dekuper's local network needs Debian, with util-linux.",
  );
}

/** Runs a step's program to its end. It is stopped with this process, and holds the lock for as long as it runs. */
async function run(file, args, { lock, ...options }) {
  const stdio = ["ignore", 2, 2, ...(lock === undefined ? [] : [lock])];
  let interruptedBy;
  const [child, release] = spawnForwarding(file, args, { stdio, ...options }, (signal) => {
    interruptedBy = signal;
  });
  const [code, signal] = await new Promise((resolve) => {
    child.once("error", (error) => resolve([error.code])).once("exit", (...end) => resolve(end));
  });
  release();
  if (interruptedBy) endBy(interruptedBy);
  if (code === 0) return;
  if (code === "ENOENT") throw new SetupError(`there is no ${file} on the PATH.`, `Install ${file}.`);
  throw new SetupError(
    `\`${file} ${args.slice(0, 3).join(" ")} …\` failed (${signal ?? code}).`,
    "Read the lines above and run the command again: finished steps are kept.",
  );
}

function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}
