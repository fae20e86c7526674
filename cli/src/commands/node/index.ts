import type { Command } from "commander";
import type { Runtime } from "../../run.ts";
import { registerNodeBid } from "./bid.ts";
import { registerNodeCancelQuotes } from "./cancel-quotes.ts";
import { registerNodeDoctor } from "./doctor.ts";
import { registerNodeInit } from "./init.ts";
import { registerNodeLifecycle } from "./lifecycle.ts";
import { registerNodeMigrate } from "./migrate.ts";
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
  registerNodeMigrate(node, runtime);
  registerNodeCancelQuotes(node, runtime);
  registerNodeBid(node, runtime);
}
