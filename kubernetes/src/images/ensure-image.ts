import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../command.ts";
import { KubernetesError } from "../errors.ts";
import { acquireLock } from "../file-lock.ts";
import { type Progress, silent } from "../progress.ts";
import { type ClusterImage, readJson, writeJson } from "../settings.ts";
import { writeBusyboxLayer } from "./busybox-layer.ts";
import { type ImageConfig, writeOciArchive } from "./oci-archive.ts";
import { torchArguments, writeTorchLayer } from "./torch-layer.ts";

export type ImageName = "pause" | "busybox" | "torch";

export interface EnsureImageOptions {
  cacheDir: string;
  /** Default: nobody. */
  onProgress?: Progress;
}

interface ImageRecipe {
  /** The Debian package whose version tells one image from another. */
  debianPackage: string;
  /** Whether the image is made of the machine's own installed package. */
  isInstalled: boolean;
  config: ImageConfig;
  /** Anything else that shapes the layer. */
  shape: string;
  writeLayer: (output: string, onLine: Progress) => Promise<void>;
}

const RECIPE_VERSION = 1;

const RECIPES: Record<ImageName, ImageRecipe> = {
  pause: {
    debianPackage: "busybox-static",
    isInstalled: true,
    config: { Env: ["PATH=/bin"], Entrypoint: ["/bin/busybox", "sleep", "2147483647"], User: "65535:65535" },
    shape: "",
    writeLayer: writeBusyboxLayer,
  },
  busybox: {
    debianPackage: "busybox-static",
    isInstalled: true,
    config: { Env: ["PATH=/bin"], Cmd: ["sh"] },
    shape: "",
    writeLayer: writeBusyboxLayer,
  },
  torch: {
    debianPackage: "python3-torch",
    isInstalled: false,
    config: { Env: ["PATH=/usr/local/bin:/usr/bin:/bin"], Cmd: ["python3"] },
    shape: torchArguments("", "", []).join("\n"),
    writeLayer: writeTorchLayer,
  },
};

/** Makes an image out of Debian packages, or finds it in the cache by the package's version and the recipe. */
export async function ensureImage(name: ImageName, options: EnsureImageOptions): Promise<ClusterImage> {
  const { cacheDir, onProgress = silent } = options;
  const recipe = RECIPES[name];
  const version = await packageVersion(recipe);
  const key = createHash("sha256")
    .update(JSON.stringify([RECIPE_VERSION, name, version, recipe.config, recipe.shape]))
    .digest("hex");
  const root = join(cacheDir, "kubernetes", "images");
  const folder = join(root, `${name}-${key.slice(0, 12)}`);
  const described = (): ClusterImage | undefined => readJson<ClusterImage>(join(folder, "image.json"));
  const found = described();
  if (found) return found;
  const lock = await acquireLock(join(root, `${name}.lock`), {
    waitMs: 30 * 60_000,
    onWait: ({ pid }) => onProgress(`waiting for another process (pid ${pid}) to make the image ${name}`),
  });
  try {
    const made = described();
    if (made) return made;
    onProgress(`making the image ${name}`);
    return await makeImage(name, recipe, folder, onProgress);
  } catch (cause) {
    if (cause instanceof KubernetesError && cause.code !== "COMMAND_FAILED") throw cause;
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new KubernetesError("IMAGE_FAILED", `the image ${name} could not be made: ${said}`, {
      cause,
      hint: "install what kubernetes/debian-packages.txt lists and run `apt-get update`",
    });
  } finally {
    lock.release();
  }
}

async function makeImage(
  name: ImageName,
  recipe: ImageRecipe,
  folder: string,
  onProgress: Progress,
): Promise<ClusterImage> {
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  const startedAt = Date.now();
  const tag = `localhost/${name}:1`;
  const layerFile = join(draft, "layer.tar");
  await recipe.writeLayer(layerFile, onProgress);
  const manifestDigest = await writeOciArchive({
    layerFile,
    config: recipe.config,
    tag,
    output: join(draft, `${name}.tar`),
  });
  rmSync(layerFile);
  const tar = join(folder, `${name}.tar`);
  const image: ClusterImage = {
    name,
    tar,
    tag,
    manifestDigest,
    reference: `localhost/${name}@${manifestDigest}`,
  };
  writeJson(join(draft, "image.json"), image);
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  renameSync(draft, folder);
  onProgress(`made the image ${name} in ${Math.round((Date.now() - startedAt) / 1000)} s`);
  return image;
}

/** The version that the image would have if it were made now: of the installed package, or of the one to be had. */
async function packageVersion({ debianPackage, isInstalled }: ImageRecipe): Promise<string> {
  const env = { ...process.env, LC_ALL: "C" };
  const version = isInstalled
    ? (await runCommand("dpkg-query", ["--show", debianPackage], { env })).trim().split("\t")[1]
    : (await runCommand("apt-cache", ["policy", debianPackage], { env })).match(/Candidate: (\S+)/)?.[1];
  if (version && version !== "(none)") return version;
  throw new KubernetesError("IMAGE_FAILED", `Debian's package ${debianPackage} is not to be had`, {
    details: { debianPackage },
    hint: "run `apt-get update`",
  });
}
