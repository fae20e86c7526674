import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, it } from "node:test";
import { Project, type SetUp, until } from "./project.ts";

const done = { code: 0, signal: null };

/** Fails with what it said if it did not end like this. */
async function endsWith(
  setUp: SetUp,
  end: { code: number | null; signal: NodeJS.Signals | null },
): Promise<void> {
  assert.deepEqual(await setUp.closed, end, setUp.stderr());
}

describe("the npm packages", { concurrency: true, timeout: 60_000 }, () => {
  it("are installed by npm ci, once for each content of the lock file", async (t) => {
    const project = Project.create(t);
    await endsWith(project.start(), done);
    await endsWith(project.start(), done);
    assert.deepEqual(project.asked("npm"), ["ci --no-audit --no-fund --loglevel=error"]);
    project.writeLock("second");
    const again = project.start();
    await endsWith(again, done);
    assert.match(again.stderr(), /^set-up: installing the npm packages \(npm ci\)$/m);
    assert.equal(project.asked("npm").length, 2);
  });

  it("are there after the real npm ci, without a network", async (t) => {
    const project = Project.create(t, { standIns: ["go"] });
    mkdirSync(project.path("part"));
    const part = { name: "part", version: "1.0.0" };
    writeFileSync(project.path("part", "package.json"), JSON.stringify(part));
    const dependencies = { part: "file:part" };
    const manifest = { name: "tiny", version: "1.0.0", dependencies };
    writeFileSync(project.path("package.json"), JSON.stringify(manifest));
    project.writeLock(
      JSON.stringify({
        ...manifest,
        lockfileVersion: 3,
        packages: { "": manifest, "node_modules/part": { resolved: "part", link: true }, part },
      }),
    );
    await endsWith(project.start(), done);
    assert.ok(existsSync(project.path("node_modules", "part", "package.json")));
    const again = project.start();
    await endsWith(again, done);
    assert.equal(again.stderr(), "");
  });

  it("are installed once for two who want them at once; the second says that it waits", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const first = project.start();
    await until("npm is asked", () => project.asked("npm").length === 1);
    const second = project.start();
    await until("the second waits", () => /waiting for another set-up \(.+\.lock\)/.test(second.stderr()));
    await project.openGate();
    await Promise.all([endsWith(first, done), endsWith(second, done)]);
    assert.equal(project.asked("npm").length, 1);
  });

  it("are installed anew after a power cut in the middle: the lock of the dead is free", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const first = project.start();
    await until("npm is asked", () => project.asked("npm").length === 1);
    await project.killAll(first);
    await project.openGate();
    await endsWith(project.start(), done);
    assert.equal(project.asked("npm").length, 2);
  });

  it("are never installed by two npm at once, also where set-up alone was killed and its npm lives on", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const first = project.start();
    await until("npm is asked", () => project.asked("npm").length === 1);
    first.child.kill("SIGKILL");
    await first.ended;
    const second = project.start();
    await until("the second waits", () => second.stderr().includes("waiting for another set-up"));
    await project.openGate();
    await endsWith(second, done);
    const ci = "ci --no-audit --no-fund --loglevel=error";
    assert.deepEqual(project.asked("npm"), [ci, ci]);
  });

  it("count as missing while they are replaced: going back to the old lock file installs again", async (t) => {
    const project = Project.create(t);
    await endsWith(project.start(), done);
    project.writeLock("second");
    project.shutGate();
    const second = project.start();
    await until("npm is asked again", () => project.asked("npm").length === 2);
    await project.killAll(second);
    await project.openGate();
    project.writeLock("first");
    await endsWith(project.start(), done);
    assert.equal(project.asked("npm").length, 3);
  });

  it("stop with set-up when it is told to, and set-up ends by the same signal", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const setUp = project.start();
    await until("npm is at work", () => existsSync(project.path("busy-npm")));
    setUp.child.kill("SIGTERM");
    await endsWith(setUp, { code: null, signal: "SIGTERM" });
    assert.ok(existsSync(project.path("busy-npm")), "npm was stopped amid its work");
    await project.openGate();
    assert.ok(!existsSync(project.path("node_modules")));
  });

  it("that npm cannot install leave its own words, a hint and exit code 1, and are tried again", async (t) => {
    const project = Project.create(t);
    project.replace("npm", "echo the registry is away >&2; false");
    const failed = project.start(["--", "command.mjs"]);
    await endsWith(failed, { code: 1, signal: null });
    assert.match(failed.stderr(), /the registry is away/);
    assert.match(failed.stderr(), /`npm ci .+` failed \(1\)\.\nhint: .+\n\(SETUP_FAILED\)\n$/);
    project.replace("npm");
    await endsWith(project.start(), done);
  });

  it("cannot be locked where the cache is no folder, and that is said", async (t) => {
    const project = Project.create(t);
    writeFileSync(project.path("cache"), "");
    const setUp = project.start();
    await endsWith(setUp, { code: 1, signal: null });
    assert.match(setUp.stderr(), /set-up: ENOTDIR.+\nhint: .+XDG_CACHE_HOME.+\n\(SETUP_FAILED\)\n$/);
  });
});

describe("Debian packages", { concurrency: true, timeout: 60_000 }, () => {
  const asRoot = { preload: "process.getuid=()=>0" };
  // Real where this process may do it; else it is nobody's already.
  const asNobody = { preload: "if(process.getuid()===0)process.setuid(65534)" };

  it("that are missing are named to who is not root, with the command to run", async (t) => {
    const project = Project.create(t, { packages: ["present", "absent # for a reason", "", "lacking"] });
    writeFileSync(project.path("installed", "present"), "");
    const setUp = project.start([], asNobody);
    await endsWith(setUp, { code: 1, signal: null });
    assert.match(setUp.stderr(), /these Debian packages are missing: absent lacking\./);
    assert.match(setUp.stderr(), /Run as root: apt-get install --no-install-recommends absent lacking\n/);
    assert.deepEqual([...project.asked("apt-get"), ...project.asked("npm")], []);
  });

  it("that are all there ask nobody to be root", async (t) => {
    const project = Project.create(t, { packages: ["present"] });
    writeFileSync(project.path("installed", "present"), "");
    await endsWith(project.start([], asNobody), done);
  });

  it("are installed for root, after what an interrupted dpkg had left, and asked for no second time", async (t) => {
    const project = Project.create(t, { packages: ["absent"] });
    await endsWith(project.start([], asRoot), done);
    await endsWith(project.start([], asRoot), done);
    const [update, install, ...more] = project.asked("apt-get");
    assert.match(update ?? "", /update$/);
    assert.match(install ?? "", /install --yes --no-install-recommends absent$/);
    assert.deepEqual(more, []);
    assert.deepEqual(project.asked("dpkg"), ["--configure -a"]);
  });

  it("are installed once for two who want them at once", async (t) => {
    const project = Project.create(t, { packages: ["absent"] });
    project.shutGate();
    const first = project.start([], asRoot);
    await until("apt-get is asked", () => project.asked("apt-get").length === 1);
    const second = project.start([], asRoot);
    await until("the second waits", () => second.stderr().includes("waiting for another set-up"));
    await project.openGate();
    await Promise.all([endsWith(first, done), endsWith(second, done)]);
    assert.equal(project.asked("apt-get").length, 2);
  });

  it("of the browser are wanted with --with-browser only", async (t) => {
    const project = Project.create(t);
    mkdirSync(project.path("frontend"));
    writeFileSync(project.path("frontend", "debian-packages.txt"), "chromium");
    await endsWith(project.start([], asNobody), done);
    const setUp = project.start(["--with-browser"], asNobody);
    await endsWith(setUp, { code: 1, signal: null });
    assert.match(setUp.stderr(), /missing: chromium\./);
  });
});

describe("Go", { concurrency: true, timeout: 60_000 }, () => {
  for (const [what, work, message] of [
    ["too old", "echo go version go1.22.1 linux/amd64", "Go 1.22 is too old to build the embedded cluster."],
    ["missing", "exit 127", "there is no Go on the PATH."],
  ] as const) {
    it(`that is ${what} is said, with the version that is needed`, async (t) => {
      const project = Project.create(t);
      project.replace("go", work);
      const setUp = project.start();
      await endsWith(setUp, { code: 1, signal: null });
      assert.equal(setUp.stderr(), `\nset-up: ${message}\nhint: Install Go 1.26 or newer.\n(SETUP_FAILED)\n`);
    });
  }
});

describe("Node", { concurrency: true, timeout: 60_000 }, () => {
  const old = oldNode();
  const command = "console.log(process.version, process.execPath, process.env.PATH)";

  it("is brought by npm where the running one is older, and the command runs under it", async (t) => {
    const project = Project.create(t);
    project.writeCommand("console.log(process.env.PATH)");
    const setUp = project.start(["--", "command.mjs"], old);
    await endsWith(setUp, done);
    assert.match(setUp.stderr(), /^set-up: bringing Node 24\.\d+\.\d+ \(this is \d+\.\d+\.\d+\)$/m);
    const [bring, packages] = project.asked("npm");
    assert.match(bring ?? "", /^install --prefix .+ node@24\.\d+\.\d+$/);
    assert.match(packages ?? "", /^ci /);
    const [first] = setUp.stdout().split(delimiter);
    assert.equal(first, project.path("cache", "dekuper", "node-24.21.0", "bin"));
    const again = project.start([], old);
    await endsWith(again, done);
    assert.equal(again.stderr(), "");
  });

  it("is brought once for two who want it at once", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const first = project.start([], old);
    await until("npm is asked", () => project.asked("npm").length === 1);
    const second = project.start([], old);
    await until("the second waits", () => second.stderr().includes("waiting for another set-up"));
    await project.openGate();
    await Promise.all([endsWith(first, done), endsWith(second, done)]);
    assert.equal(project.asked("npm").filter((line) => line.startsWith("install")).length, 1);
  });

  it("is brought whole after a power cut in the middle, and nothing of the first try is left", async (t) => {
    const project = Project.create(t);
    project.shutGate();
    const first = project.start([], old);
    await until("npm is asked", () => project.asked("npm").length === 1);
    await project.killAll(first);
    await project.openGate();
    await endsWith(project.start([], old), done);
    assert.deepEqual(readdirSync(project.path("cache", "dekuper")).sort(), ["locks", "node-24.21.0"]);
  });

  it("that does not work is not kept", async (t) => {
    const project = Project.create(t);
    project.replace("npm", "true");
    const setUp = project.start([], old);
    await endsWith(setUp, { code: 1, signal: null });
    assert.match(setUp.stderr(), /brought no working binary\.\nhint: Install Node 24 yourself\./);
    assert.ok(!existsSync(project.path("cache", "dekuper", "node-24.21.0")));
  });

  it("that is new enough is used as it is", async (t) => {
    const project = Project.create(t);
    project.writeCommand(command);
    const setUp = project.start(["--", "command.mjs"]);
    await endsWith(setUp, done);
    assert.ok(setUp.stdout().startsWith(`${process.version} ${process.execPath} `), setUp.stdout());
    assert.equal(project.asked("npm").length, 1);
  });
});

describe("the command that set-up hands on to", { concurrency: true, timeout: 60_000 }, () => {
  it("has stdin, arguments and stdout to itself, and its exit code is set-up's", async (t) => {
    const project = Project.create(t);
    project.replace("npm", `echo words of npm; mkdir -p node_modules`);
    project.writeCommand(`
      for await (const chunk of process.stdin) process.stdout.write(chunk);
      console.log(JSON.stringify(process.argv.slice(2)));
      process.exitCode = 7;
    `);
    const setUp = project.start(["--", "command.mjs", "--json", "a b", "--", "$c"]);
    setUp.child.stdin?.end("typed\n");
    await endsWith(setUp, { code: 7, signal: null });
    assert.equal(setUp.stdout(), 'typed\n["--json","a b","--","$c"]\n');
    assert.match(setUp.stderr(), /words of npm/);
  });

  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    it(`gets a ${signal} that set-up gets, and ends in its own way`, async (t) => {
      const project = Project.create(t);
      project.writeCommand(`
        process.once("${signal}", () => { console.log("cleaned up"); process.exit(5); });
        setInterval(() => {}, 1000);
        console.log("ready");
      `);
      const setUp = project.start(["--", "command.mjs"]);
      await until("the command is ready", () => setUp.stdout().includes("ready"));
      setUp.child.kill(signal);
      await endsWith(setUp, { code: 5, signal: null });
      assert.equal(setUp.stdout(), "ready\ncleaned up\n");
    });
  }

  it("that dies of a signal takes set-up with it, so that a shell sees the same", async (t) => {
    const project = Project.create(t);
    project.writeCommand('process.kill(process.pid, "SIGKILL"); setInterval(() => {}, 1000);');
    await endsWith(project.start(["--", "command.mjs"]), { code: null, signal: "SIGKILL" });
  });
});

/** An older Node of this machine, as people have it; where there is none, this one says that it is 20. */
function oldNode(): { node?: string; preload?: string } {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const node = join(folder, "node");
    if (!existsSync(node)) continue;
    const [major] = execFileSync(node, ["-p", "process.versions.node"], { encoding: "utf8" }).split(".");
    if (Number(major) >= 18 && Number(major) < 24) return { node };
  }
  return {
    preload: 'Object.defineProperty(process,"versions",{value:{...process.versions,node:"20.0.0"}})',
  };
}
