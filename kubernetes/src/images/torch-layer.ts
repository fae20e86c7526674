import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../command.ts";
import type { Progress } from "../progress.ts";

/**
 * What torch never opens: documents, headers, test programs, and the graphics drivers that Debian's build drags in by
 * way of OpenCV. It makes the image a third smaller.
 */
export const TORCH_EXCLUDED = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  "/usr/share/info/*",
  "/usr/share/lintian/*",
  "/usr/share/gdal/*",
  "/usr/share/proj/*",
  "/usr/include/*",
  "/usr/lib/libtorch-test/*",
  "/usr/lib/*/dri/*",
  "/usr/lib/*/libLLVM*",
  "/usr/lib/*/libz3.so*",
  "/usr/lib/*/mfx/*",
  "/usr/lib/*.a",
  "/usr/lib/python3/dist-packages/torch/bin/*",
];

/** Excluded by the above and needed all the same. */
const TORCH_KEPT = ["/usr/lib/python3/dist-packages/torch/bin/torch_shm_manager"];

/**
 * Removed when all is installed: package scripts want the first five, and the rest differs each time, which the
 * image's digest should not.
 */
const TORCH_REMOVED = [
  "usr/lib/python3/dist-packages/sympy/*/rubi",
  "usr/share/X11",
  "usr/share/fonts",
  "usr/share/icons",
  "usr/share/mime",
  "var/cache/*",
  "var/lib/apt/lists/*",
  "var/log/*",
];

/** The arguments of mmdebstrap for a root with Python and torch; `sources` are the machine's own, so is the mirror. */
export function torchArguments(suite: string, output: string, sources: readonly string[]): string[] {
  return [
    "--variant=essential",
    "--include=python3,python3-torch",
    ...TORCH_EXCLUDED.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...TORCH_KEPT.map((pattern) => `--dpkgopt=path-include=${pattern}`),
    `--customize-hook=cd "$1" && rm -rf ${TORCH_REMOVED.join(" ")}`,
    suite,
    output,
    ...sources,
  ];
}

export async function writeTorchLayer(output: string, onLine: Progress): Promise<void> {
  const suite = (await runCommand("sh", ["-c", ". /etc/os-release && echo $VERSION_CODENAME"])).trim();
  await runCommand("mmdebstrap", torchArguments(suite, output, aptSources()), {
    onLine,
    endsWithUs: true,
    // mmdebstrap then stamps every file with it: the same packages make the same layer.
    env: { ...process.env, SOURCE_DATE_EPOCH: "0" },
  });
}

/** The machine's own package sources. */
function aptSources(): string[] {
  const dir = "/etc/apt/sources.list.d";
  const names = existsSync(dir)
    ? readdirSync(dir).filter((name) => /^debian.*\.(sources|list)$/.test(name))
    : [];
  const list = "/etc/apt/sources.list";
  return [...(existsSync(list) ? [list] : []), ...names.sort().map((name) => join(dir, name))];
}
