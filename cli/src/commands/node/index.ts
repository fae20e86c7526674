import type { Command } from "commander";
import type { Runtime } from "../../run.ts";
import { registerNodeDoctor } from "./doctor.ts";
import { registerNodeInit } from "./init.ts";
import { registerNodeLifecycle } from "./lifecycle.ts";
import { registerNodeRegister } from "./register.ts";
import { registerNodeStaking } from "./staking.ts";
import { registerNodeStatus } from "./status.ts";

export function registerNodeCommands(program: Command, runtime: Runtime): void {
  const node = program.command("node").description("the network map, and running a node of one's own");
  registerNodeStatus(node, runtime);
  registerNodeDoctor(node, runtime);
  registerNodeInit(node, runtime);
  registerNodeRegister(node, runtime);
  registerNodeLifecycle(node, runtime);
  registerNodeStaking(node, runtime);
}
