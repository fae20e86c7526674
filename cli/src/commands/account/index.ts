import type { Command } from "commander";
import type { Runtime } from "../../run.ts";
import { registerAccountDeposit } from "./deposit.ts";
import { registerAccountShow } from "./show.ts";
import { registerAccountStatement } from "./statement.ts";
import { registerAccountWithdraw } from "./withdraw.ts";

export function registerAccountCommands(program: Command, runtime: Runtime): void {
  const account = program.command("account").description("money: deposit, show, statement, withdraw");
  registerAccountDeposit(account, runtime);
  registerAccountShow(account, runtime);
  registerAccountStatement(account, runtime);
  registerAccountWithdraw(account, runtime);
}
