import { listenForPresence, type MarketNode, type TokenInfo } from "@dekuper/client";
import type { Presence } from "@dekuper/protocol";
import type { Command } from "commander";
import type { Address } from "viem";
import { readAddress } from "../../amounts.ts";
import { formatAmount, formatMiB, formatResources, formatSeconds, formatTime } from "../../output/format.ts";
import { printFields, printTable } from "../../output/table.ts";
import type { Terminal } from "../../output/terminal.ts";
import { type Answer, handle, type Runtime } from "../../run.ts";
import { paintState } from "../task/states.ts";

export function registerNodeStatus(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("status")
    .description("the network map, or one node in full")
    .argument("[node]", "address of a node; default: all")
    .option("--offline", "read the chain only, do not listen for heartbeats");
  handle<{ offline?: boolean }>(
    command,
    runtime,
    async (context, [text = ""], { offline }): Promise<Answer> => {
      const market = await context.market(undefined);
      const token = await market.token();
      const nodes = text === "" ? await market.nodes() : [await market.node(readAddress(text, "node"))];
      const live = nodes.filter((node) => node.status !== "Retired").map((node) => node.address);
      let presence: ReadonlyMap<Address, Presence> | undefined;
      if (offline !== true && live.length > 0) {
        context.progress.step("listening for heartbeats");
        const peer = await context.peer(market);
        presence = await listenForPresence(peer, live, { signal: context.signal });
        context.progress.clear();
      }
      const tasks = text === "" ? [] : await market.tasksOfNode(nodes[0]?.address ?? readAddress(text));
      const shown = nodes.map((node) => ({
        ...node,
        online: presence === undefined ? null : presence.has(node.address),
        heartbeat: presence?.get(node.address)?.heartbeat ?? null,
      }));
      return {
        json:
          text === ""
            ? shown
            : { ...shown[0], tasks: tasks.map(({ task, state, lease }) => ({ ...task, state, lease })) },
        print: (out) => {
          const [node] = nodes;
          if (text === "") return printMap(out, nodes, token, presence);
          if (node === undefined) return;
          printNode(out, node, token, presence);
          if (tasks.length === 0) return;
          out.line();
          printTable(
            out,
            [{ title: "TASK" }, { title: "STATUS" }, { title: "RAN", right: true }, { title: "CREATED" }],
            tasks.map(({ task, lease }) => [
              task.taskId,
              paintState(out, lease.state),
              lease.billedSeconds === 0n ? out.dim("-") : formatSeconds(Number(lease.billedSeconds)),
              formatTime(task.createdAt),
            ]),
          );
        },
      };
    },
  );
}

function printMap(
  out: Terminal,
  nodes: readonly MarketNode[],
  token: TokenInfo,
  presence: ReadonlyMap<Address, Presence> | undefined,
): void {
  if (nodes.length === 0) {
    out.line("No node is registered.");
    out.next("dekuper node init");
    return;
  }
  printTable(
    out,
    [
      { title: "NODE" },
      { title: "STATUS" },
      { title: "ONLINE" },
      { title: "FREE" },
      { title: "ISOLATION" },
      { title: "REGION" },
      { title: "GPU/H", right: true },
      { title: "VCPU/H", right: true },
      { title: "STAKE", right: true },
    ],
    nodes.map((node) => [
      node.address,
      paintNodeStatus(out, node),
      paintOnline(out, node, presence),
      formatResources({ ...node.available, gpuModel: node.profile.gpuModel }),
      node.profile.isolation,
      node.profile.region || out.dim("-"),
      formatAmount(node.profile.posted.perGpuHour, token),
      formatAmount(node.profile.posted.perVCpuHour, token),
      formatAmount(node.stake.staked, token),
    ]),
  );
}

function printNode(
  out: Terminal,
  node: MarketNode,
  token: TokenInfo,
  presence: ReadonlyMap<Address, Presence> | undefined,
): void {
  const { profile, stake } = node;
  const amount = (value: bigint) => formatAmount(value, token);
  printFields(out, [
    ["node", out.bold(node.address)],
    ["owner", node.owner],
    ["status", paintNodeStatus(out, node)],
    ["online", paintOnline(out, node, presence)],
    ["declared", formatResources(profile)],
    ["in use", node.used.vCpus === 0 ? "nothing" : formatResources(node.used)],
    ["storage", formatMiB(profile.storageMiB)],
    ["GPU memory", profile.gpus === 0 ? undefined : `${formatMiB(profile.gpuMemoryMiB)} each`],
    ["isolation", profile.isolation],
    ["region", profile.region || "-"],
    [
      "posted rate",
      `${amount(profile.posted.perGpuHour)} per GPU hour, ${amount(profile.posted.perVCpuHour)} per vCPU hour`,
    ],
    [
      "floor rate",
      `${amount(node.floor.perGpuHour)} per GPU hour, ${amount(node.floor.perVCpuHour)} per vCPU hour`,
    ],
    ["stake", `${amount(stake.staked)} of ${amount(stake.required)} needed, ${amount(stake.locked)} locked`],
    [
      "unbonding",
      stake.unbonding === 0n
        ? undefined
        : `${amount(stake.unbonding)} until ${formatTime(stake.releasableAt)}`,
    ],
    ["active since", formatTime(node.activeSince)],
    ...profile.multiaddrs.map((multiaddr, index) => [index === 0 ? "addresses" : "", multiaddr] as const),
  ]);
}

function paintNodeStatus(out: Terminal, { status }: MarketNode): string {
  if (status === "Active") return out.paint("green", status);
  return status === "Draining" ? out.paint("yellow", status) : out.dim(status);
}

function paintOnline(
  out: Terminal,
  { address }: MarketNode,
  presence: ReadonlyMap<Address, Presence> | undefined,
): string {
  if (presence === undefined) return out.dim("not asked");
  return presence.has(address) ? out.paint("green", "yes") : out.paint("red", "no");
}
