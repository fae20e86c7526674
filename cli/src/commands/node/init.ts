import type { Command } from "commander";
import type { Runtime } from "../../run.ts";

export function registerNodeInit(parent: Command, _runtime: Runtime): void {
  parent.command("init").description("make an operator key and a configuration for a node");
}
