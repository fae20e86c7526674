import { existsSync, readFileSync } from "node:fs";
import type { ClusterAddresses } from "./addresses.ts";
import { runCommand, succeeds } from "./command.ts";
import type { ClusterLayout } from "./layout.ts";
import { CLUSTER_LINK, renderRuleset } from "./ruleset.ts";

/** Sysctls of the cluster's network namespace; the machine's own stay as they are. */
const NAMESPACE_SYSCTLS = {
  "net/ipv4/ip_forward": "1",
  // A pod cannot send with another pod's address: the way back would be another veth.
  "net/ipv4/conf/all/rp_filter": "1",
  "net/ipv4/conf/default/rp_filter": "1",
  "net/ipv4/conf/all/accept_redirects": "0",
  "net/ipv4/conf/all/send_redirects": "0",
  "net/ipv6/conf/all/disable_ipv6": "1",
  "net/ipv6/conf/default/disable_ipv6": "1",
};

/** Puts a command into the cluster's network namespace; mounts stay as they are, unlike with `ip netns exec`. */
export function inNetworkNamespace(path: string, command: readonly string[]): string[] {
  return ["nsenter", `--net=${path}`, "--", ...command];
}

/** Destinations that the host has routes to, the default route left out. */
export async function hostRoutes(): Promise<string[]> {
  const routes = await runCommand("ip", ["-4", "-json", "route", "show", "table", "all"]);
  const parsed: unknown = JSON.parse(routes || "[]");
  if (!Array.isArray(parsed)) return [];
  return parsed.map((route: { dst?: string }) => route.dst ?? "default").filter((dst) => /^\d/.test(dst));
}

/** Makes the namespace, its one link to the host, and the packet filter, before anything runs in it. */
export async function createNetwork(layout: ClusterLayout, addresses: ClusterAddresses): Promise<void> {
  const { netns, netnsPath, hostLink } = layout;
  await runCommand("ip", ["netns", "add", netns]);
  await inNamespace(
    netnsPath,
    ["sh", "-c", "cd /proc/sys && while read -r k v; do [ ! -e $k ] || echo $v > $k; done"],
    {
      input: Object.entries(NAMESPACE_SYSCTLS)
        .map(([key, value]) => `${key} ${value}\n`)
        .join(""),
    },
  );
  await applyRuleset(netnsPath, renderRuleset(addresses, new Map()));
  await runCommand("ip", ["-batch", "-"], {
    input: `link add ${hostLink} type veth peer name ${CLUSTER_LINK} netns ${netns}
link set ${hostLink} addrgenmode none
address add ${addresses.hostCidr} dev ${hostLink}
link set ${hostLink} up
`,
  });
  await runCommand("ip", ["-netns", netns, "-batch", "-"], {
    input: `link set lo up
address add ${addresses.nodeCidr} dev ${CLUSTER_LINK}
link set ${CLUSTER_LINK} up
`,
  });
}

export async function applyRuleset(netnsPath: string, ruleset: string): Promise<void> {
  await inNamespace(netnsPath, ["nft", "-f", "-"], { input: ruleset });
}

/** Removes the namespace, with it every pod's veth and the filter, and the host's end of the link. */
export async function removeNetwork(layout: ClusterLayout): Promise<void> {
  // The link goes first: a namespace's own end dies asynchronously, and an address must be free when `down` returns.
  if (existsSync(`/sys/class/net/${layout.hostLink}`))
    await succeeds("ip", ["link", "delete", layout.hostLink]);
  if (existsSync(layout.netnsPath)) await succeeds("ip", ["netns", "delete", layout.netns]);
}

export function networkLeftovers(layout: ClusterLayout): string[] {
  const paths = [layout.netnsPath, `/sys/class/net/${layout.hostLink}`].filter((path) => existsSync(path));
  const mounts = readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return [...paths, ...mounts.filter((line) => line.includes(`${layout.stateDir}/`))];
}

function inNamespace(path: string, command: string[], options: { input: string }): Promise<string> {
  const [program = "", ...args] = inNetworkNamespace(path, command);
  return runCommand(program, args, options);
}
