#!/usr/bin/env node
/**
 * Set-up without dependencies, for plain Node >= 18: brings Debian packages, Node 24 and the npm packages, then hands on.
 *
 *   node scripts/setup.mjs [--with-browser] [-- FILE ARGS...]     FILE runs under Node 24 with this terminal
 *
 * Every step is cached by content, resumable, and safe to interrupt or to run twice at once: a step's result appears
 * whole, by one rename, under a lock that names its holder. Progress goes to stderr, so that stdout stays the command's.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
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
  installDebianPackages(options.includes("--with-browser"));
  requireGo();
  const node = bringNode();
  await installPackages(node);
  if (command.length > 0) handOn(node, command);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\nset-up: ${error.message}\nhint: ${error.hint}\n(SETUP_FAILED)\n`);
  process.exit(1);
}

/** Installs what the package lists name and the machine lacks; only as root, else says which. */
function installDebianPackages(withBrowser) {
  const lists = ["scripts/debian-packages.txt", "kubernetes/debian-packages.txt"];
  if (withBrowser) lists.push("frontend/debian-packages.txt");
  const wanted = lists.flatMap((list) =>
    existsSync(join(root, list))
      ? readFileSync(join(root, list), "utf8")
          .split("\n")
          .map((line) => line.split("#")[0].trim())
          .filter(Boolean)
      : [],
  );
  const missing = [...new Set(wanted)].filter((name) => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own format, not a template
    const query = spawnSync("dpkg-query", ["-W", "-f=${db:Status-Status}", name], { encoding: "utf8" });
    if (query.error)
      throw new SetupError("this machine has no dpkg.", "Dekuper's local network needs Debian.");
    return query.stdout !== "installed";
  });
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    throw new SetupError(
      `these Debian packages are missing: ${missing.join(" ")}.`,
      `Run as root: apt-get install --no-install-recommends ${missing.join(" ")}`,
    );
  }
  say(`installing ${missing.length} Debian packages: ${missing.join(" ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const apt = ["-qq", "-o", "DPkg::Lock::Timeout=600", "-o", "Acquire::Retries=3"];
  run("apt-get", [...apt, "update"], { env });
  run("apt-get", [...apt, "install", "--yes", "--no-install-recommends", ...missing], { env });
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
function bringNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 24 || (major === 24 && minor >= 9)) return process.execPath;
  const home = join(cacheDir, `node-${NODE_VERSION}`);
  const binary = join(home, "bin", "node");
  if (existsSync(binary)) return binary;
  return withLock("node", () => {
    if (existsSync(binary)) return binary;
    say(`bringing Node ${NODE_VERSION} (this is ${process.versions.node})`);
    const staging = join(cacheDir, `node-staging-${process.pid}`);
    mkdirSync(staging, { recursive: true });
    run("npm", [
      "install",
      "--prefix",
      staging,
      "--no-save",
      "--no-audit",
      "--no-fund",
      "--loglevel=error",
      `node@${NODE_VERSION}`,
    ]);
    const packed = join(staging, "node_modules", "node");
    if (
      spawnSync(join(packed, "bin", "node"), ["--version"], { encoding: "utf8" }).stdout?.trim() !==
      `v${NODE_VERSION}`
    ) {
      throw new SetupError(
        `the npm package node@${NODE_VERSION} brought no working binary.`,
        "Install Node 24 yourself.",
      );
    }
    rmSync(home, { recursive: true, force: true });
    renameSync(packed, home);
    rmSync(staging, { recursive: true, force: true });
    return binary;
  });
}

/** `npm ci` under the chosen Node, once for each content of the lock file. */
async function installPackages(node) {
  const lock = readFileSync(join(root, "package-lock.json"));
  const stamp = createHash("sha256").update(lock).update(NODE_VERSION).digest("hex");
  const stampFile = join(root, "node_modules", ".dekuper-setup");
  const isFresh = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (isFresh()) return;
  const key = createHash("sha256").update(root).digest("hex").slice(0, 12);
  withLock(`packages-${key}`, () => {
    if (isFresh()) return;
    say("installing the npm packages (npm ci)");
    run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root, env: withNode(node) });
    writeFileSync(stampFile, stamp);
  });
}

/** Runs the file under Node 24 and ends as it ends; signals reach it through the terminal's process group. */
function handOn(node, [file, ...args]) {
  const env = withNode(node);
  const child = spawn(node, ["--disable-warning=ExperimentalWarning", join(root, file), ...args], {
    stdio: "inherit",
    env,
  });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => forward(child, signal));
  child.on("exit", (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
}

/** Ctrl-C reaches the whole foreground group by itself; a signal that was sent to this process alone is passed on. */
function forward(child, signal) {
  if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
}

function withNode(node) {
  return { ...process.env, PATH: [dirname(node), process.env.PATH].join(delimiter) };
}

/** Runs `step` while no other set-up does; a lock whose holder is gone is taken over. */
function withLock(name, step) {
  const folder = join(cacheDir, "locks", name);
  mkdirSync(dirname(folder), { recursive: true });
  let told = false;
  while (!tryLock(folder)) {
    if (!told) say(`waiting for another set-up (${folder})`);
    told = true;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  }
  try {
    return step();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function tryLock(folder) {
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, "holder"), `${process.pid} ${startTime(process.pid)}`);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  try {
    const [pid, started] = readFileSync(join(folder, "holder"), "utf8").split(" ");
    if (startTime(Number(pid)) !== started) rmSync(folder, { recursive: true, force: true });
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    const holderNeverWrote = Date.now() - (statTime(folder) ?? Date.now()) > 5_000;
    if (holderNeverWrote) rmSync(folder, { recursive: true, force: true });
  }
  return false;
}

/** Clock ticks from boot to the process's start (proc(5), field 22): with the pid it names a process for good. */
function startTime(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[19];
  } catch {
    return "gone";
  }
}

function statTime(path) {
  const seconds = Number(spawnSync("stat", ["-c", "%Y", path], { encoding: "utf8" }).stdout);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
}

function run(file, args, extra = {}) {
  const done = spawnSync(file, args, { stdio: ["ignore", 2, 2], ...extra });
  if (done.status === 0) return;
  throw new SetupError(
    `\`${file} ${args.slice(0, 3).join(" ")} …\` failed${done.status === null ? ` (${done.signal ?? done.error?.code})` : ` with ${done.status}`}.`,
    "Read the lines above and run the command again: finished steps are kept.",
  );
}

function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}
