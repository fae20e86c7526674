/** The command as people run it: each line a process of its own, against one real chain and one real libp2p node. */
import { after, before, describe } from "node:test";
import { account } from "./command/account.ts";
import { badNetworks } from "./command/bad-networks.ts";
import { badTaskFiles } from "./command/bad-task-files.ts";
import { claims } from "./command/claims.ts";
import { gang } from "./command/gang.ts";
import { localNetwork } from "./command/local-network.ts";
import { node } from "./command/node.ts";
import { nodeSetUp } from "./command/node-set-up.ts";
import { statement } from "./command/statement.ts";
import { task } from "./command/task.ts";
import { taskResult } from "./command/task-result.ts";
import { terminal } from "./command/terminal.ts";
import { usage } from "./command/usage.ts";
import { type MarketFixture, startMarket } from "./market-fixture.ts";

describe("dekuper", () => {
  let market: MarketFixture;
  before(async () => {
    market = await startMarket();
  });
  after(async () => {
    await market?.stop();
  });
  const get = () => market;
  usage(get);
  localNetwork(get);
  badNetworks(get);
  badTaskFiles(get);
  account(get);
  task(get);
  taskResult(get);
  claims(get);
  gang(get);
  terminal(get);
  node(get);
  nodeSetUp(get);
  statement(get);
});
