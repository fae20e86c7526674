import type { Command } from "commander";
import type { Runtime } from "../../run.ts";

export function registerNodeDoctor(parent: Command, _runtime: Runtime): void {
  parent.command("doctor").description("probe what a cluster allows and enforces, before its node claims it");
}
