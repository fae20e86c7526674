import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { BINARY_RECIPES, type BinaryRecipe, buildArguments } from "./binary-recipes.ts";
import { runCommand } from "./command.ts";
import { KubernetesError } from "./errors.ts";
import { acquireLock } from "./file-lock.ts";
import { type Progress, silent } from "./progress.ts";

export interface EnsureBinariesOptions {
  cacheDir: string;
  /** Told what is being built and how long it took. Default: nobody. */
  onProgress?: Progress;
  signal?: AbortSignal;
  /** Default: every program of the cluster. */
  recipes?: readonly BinaryRecipe[];
}

/** Two hours: another builder on a slow machine may be at work, and waiting for it is quicker than building again. */
const BUILDER_WAIT_MS = 2 * 3600 * 1000;

/**
 * Builds every program of the cluster, or finds it in the cache by the content of its recipe. Modules are built one
 * after the other, each kept when it is done, so an interrupted build goes on where it was; Go's own cache keeps the
 * rest. Answers the folder that holds all programs by their names.
 */
export async function ensureBinaries(options: EnsureBinariesOptions): Promise<string> {
  const { cacheDir, onProgress = silent, signal, recipes = BINARY_RECIPES } = options;
  const goVersion = await readGoVersion();
  const keys = recipes.map((recipe) => recipeKey(recipe, goVersion));
  const root = join(cacheDir, "kubernetes", "binaries");
  const binDir = join(root, `bin-${digest(keys.join("\n"))}`);
  if (existsSync(binDir)) return binDir;
  const lock = await acquireLock(join(root, "build.lock"), {
    waitMs: BUILDER_WAIT_MS,
    onWait: ({ pid }) => onProgress(`waiting for another build (pid ${pid})`),
    ...(signal ? { signal } : {}),
  });
  try {
    if (existsSync(binDir)) return binDir;
    const draft = `${binDir}.draft`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    for (const [index, recipe] of recipes.entries()) {
      const built = await build(recipe, join(root, `${recipe.name}-${keys[index]}`), options);
      for (const program of recipe.programs) symlinkSync(join(built, program), join(draft, program));
      for (const link of recipe.links) symlinkSync(join(built, recipe.programs[0] ?? ""), join(draft, link));
    }
    renameSync(draft, binDir);
    return binDir;
  } finally {
    lock.release();
  }
}

async function build(recipe: BinaryRecipe, output: string, options: EnsureBinariesOptions): Promise<string> {
  const { onProgress = silent, signal } = options;
  if (existsSync(output)) return output;
  onProgress(`building ${recipe.name}`);
  const startedAt = Date.now();
  // A killed build's compiler may still be ending: it shall not write into this one's draft.
  removeDrafts(output);
  const draft = `${output}.${process.pid}.draft`;
  mkdirSync(draft, { recursive: true });
  try {
    await runCommand("go", buildArguments(recipe, draft), {
      cwd: recipe.moduleDir,
      env: { ...process.env, CGO_ENABLED: recipe.cgo ? "1" : "0", GOFLAGS: "", GOWORK: "off" },
      endsWithUs: true,
      onLine: onProgress,
      ...(signal ? { signal } : {}),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new KubernetesError("BUILD_FAILED", `${recipe.name} did not build: ${said}`, {
      cause,
      details: { recipe: recipe.name },
      hint: "install what kubernetes/debian-packages.txt lists and check that the Go module proxy answers",
    });
  }
  renameSync(draft, output);
  onProgress(`built ${recipe.name} in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  return output;
}

function removeDrafts(output: string): void {
  const drafts = readdirSync(dirname(output)).filter(
    (name) => name.startsWith(`${basename(output)}.`) && name.endsWith(".draft"),
  );
  for (const name of drafts)
    rmSync(join(dirname(output), name), { recursive: true, force: true, maxRetries: 3 });
}

async function readGoVersion(): Promise<string> {
  try {
    return (await runCommand("go", ["env", "GOVERSION", "GOARCH"])).trim().replace("\n", " ");
  } catch (cause) {
    throw new KubernetesError(
      "TOOL_MISSING",
      "Go is needed to build the embedded Kubernetes and was not found",
      {
        cause,
        hint: "install Go 1.26 or newer",
      },
    );
  }
}

/** Names a recipe by all that goes into it: its files, its command line and the compiler. */
function recipeKey(recipe: BinaryRecipe, goVersion: string): string {
  const files = readdirSync(recipe.moduleDir).filter((name) => /\.(go|mod|sum)$/.test(name));
  const contents = files
    .sort()
    .map((name) => `${name}\n${readFileSync(join(recipe.moduleDir, name), "utf8")}`);
  return digest(
    [goVersion, ...buildArguments(recipe, "OUT"), ...recipe.programs, ...recipe.links, ...contents].join(
      "\0",
    ),
  );
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 12);
}
