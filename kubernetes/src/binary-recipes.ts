import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** One Go module of ours and what is built from it. */
export interface BinaryRecipe {
  name: string;
  /** Holds go.mod, go.sum and sometimes main.go. */
  moduleDir: string;
  packages: string[];
  tags: string;
  /** Assignments by the linker, as `path.Name=value`. */
  variables: string[];
  cgo: boolean;
  /** The programs that come of it; further names are links to the first. */
  programs: string[];
  links: string[];
}

const BINARIES = fileURLToPath(new URL("../binaries", import.meta.url));
const COMPONENT_VERSION = "k8s.io/component-base/version";
const CLIENT_VERSION = "k8s.io/client-go/pkg/version";
const CONTAINERD = "github.com/containerd/containerd/v2";
const CNI = "github.com/containernetworking/plugins/plugins";

/** Everything that is built, longest first. Versions are pinned in each go.mod; the two below only tell them. */
export const BINARY_RECIPES: readonly BinaryRecipe[] = [
  {
    name: "control-plane",
    moduleDir: join(BINARIES, "control-plane"),
    packages: ["."],
    tags: "",
    variables: [COMPONENT_VERSION, CLIENT_VERSION].flatMap((path) => [
      `${path}.gitVersion=v1.37.2`,
      `${path}.gitMajor=1`,
      `${path}.gitMinor=37`,
    ]),
    cgo: false,
    programs: ["dekuper-kubernetes"],
    links: [
      "etcd",
      "coredns",
      "kube-apiserver",
      "kube-controller-manager",
      "kube-scheduler",
      "kubelet",
      "kubectl",
    ],
  },
  {
    name: "containerd",
    moduleDir: join(BINARIES, "runtime", "containerd"),
    packages: [
      `${CONTAINERD}/cmd/containerd`,
      `${CONTAINERD}/cmd/containerd-shim-runc-v2`,
      `${CONTAINERD}/cmd/ctr`,
    ],
    tags: "no_btrfs no_zfs no_devmapper",
    variables: [`${CONTAINERD}/version.Version=v2.4.2`],
    cgo: false,
    programs: ["containerd", "containerd-shim-runc-v2", "ctr"],
    links: [],
  },
  {
    name: "runc",
    moduleDir: join(BINARIES, "runtime", "runc"),
    packages: ["github.com/opencontainers/runc"],
    tags: "seccomp",
    variables: [],
    cgo: true,
    programs: ["runc"],
    links: [],
  },
  {
    name: "cni-plugins",
    moduleDir: join(BINARIES, "runtime", "cni-plugins"),
    packages: [`${CNI}/main/ptp`, `${CNI}/main/loopback`, `${CNI}/ipam/host-local`],
    tags: "",
    variables: [],
    cgo: false,
    programs: ["ptp", "loopback", "host-local"],
    links: [],
  },
];

/** The command line that builds a recipe into `output`; it changes neither go.mod nor go.sum. */
export function buildArguments(recipe: BinaryRecipe, output: string): string[] {
  const single = recipe.programs.length === 1 ? recipe.programs[0] : undefined;
  return [
    "build",
    "-mod=readonly",
    "-trimpath",
    "-buildvcs=false",
    ...(recipe.tags ? ["-tags", recipe.tags] : []),
    "-ldflags",
    ["-s", "-w", ...recipe.variables.map((variable) => `-X ${variable}`)].join(" "),
    "-o",
    single ? join(output, single) : `${output}/`,
    ...recipe.packages,
  ];
}
