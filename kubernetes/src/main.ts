// For developers of this folder; `dekuper up` uses the API in index.ts.
import { parseArgs } from "node:util";
import {
  clusterStatus,
  defaultCacheDir,
  ensureBinaries,
  ensureImage,
  KubernetesError,
  startCluster,
  stopCluster,
} from "./index.ts";

const USAGE = `node kubernetes/src/main.ts COMMAND [options]

  build                      build every program into the cache
  images                     make the images busybox, pause and torch in the cache
  up      --state DIR        start a cluster; prints its kubeconfig
  status  --state DIR        say what runs
  down    --state DIR        stop it and leave nothing behind

  --name NAME     cluster's and node's name [dekuper]
  --gpus N        simulated GPUs to advertise [0]
  --torch         have the torch image too
  --remove        with down: delete the state folder
  --cache DIR     [\${XDG_CACHE_HOME:-~/.cache}/dekuper]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    state: { type: "string" },
    cache: { type: "string", default: defaultCacheDir() },
    name: { type: "string", default: "dekuper" },
    gpus: { type: "string", default: "0" },
    torch: { type: "boolean", default: false },
    remove: { type: "boolean", default: false },
  },
});

const startedAt = performance.now();
const onProgress = (line: string): void => {
  console.error(`${((performance.now() - startedAt) / 1000).toFixed(1).padStart(6)} s  ${line}`);
};

function stateDir(): string {
  if (values.state) return values.state;
  console.error(`--state DIR is missing\n\n${USAGE}`);
  process.exit(2);
}

async function up(): Promise<void> {
  const count = Number(values.gpus);
  const cluster = await startCluster({
    name: values.name,
    stateDir: stateDir(),
    cacheDir: values.cache,
    images: values.torch ? ["busybox", "torch"] : ["busybox"],
    onProgress,
    ...(count > 0 ? { gpus: { count, product: "NVIDIA-H100-80GB-HBM3", memoryMiB: 81_559 } } : {}),
  });
  for (const image of cluster.images) onProgress(`image ${image.reference}`);
  onProgress(`timeline ${JSON.stringify(cluster.timeline)}`);
  console.log(`export KUBECONFIG=${cluster.kubeconfigPath}`);
}

const commands: Record<string, () => Promise<void>> = {
  up,
  build: async () => console.log(await ensureBinaries({ cacheDir: values.cache, onProgress })),
  images: async () => {
    for (const name of ["pause", "busybox", "torch"] as const) {
      console.log((await ensureImage(name, { cacheDir: values.cache, onProgress })).reference);
    }
  },
  status: async () => console.log(JSON.stringify(await clusterStatus(stateDir()), undefined, 2)),
  down: async () => {
    await stopCluster(stateDir(), { remove: values.remove });
    onProgress("stopped");
  },
};

const command = commands[positionals[0] ?? ""];
if (!command) {
  console.error(USAGE);
  process.exit(2);
}
try {
  await command();
} catch (error) {
  if (!(error instanceof KubernetesError)) throw error;
  console.error(`${error.code}: ${error.message}`);
  if (error.hint) console.error(`  ${error.hint}`);
  console.error(JSON.stringify(error.details, undefined, 2));
  process.exit(1);
}
