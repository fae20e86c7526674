/** Everything that needs a whole network shares one: two providers, each with its own real Kubernetes. */
import { after, before, describe } from "node:test";
import { type NetworkFixture, openNetwork } from "../lib/network-fixture.ts";
import { awards } from "./tasks/awards.ts";
import { claims, judgedClaims } from "./tasks/claims.ts";
import { crashes } from "./tasks/crashes.ts";
import { endings } from "./tasks/endings.ts";
import { incidents } from "./tasks/incidents.ts";
import { life } from "./tasks/life.ts";
import { losses } from "./tasks/losses.ts";
import { outages } from "./tasks/outages.ts";
import { privacy } from "./tasks/privacy.ts";
import { quorums } from "./tasks/quorums.ts";

describe("a market with two providers on real Kubernetes", () => {
  let network: NetworkFixture;
  before(async () => {
    network = await openNetwork();
  });
  after(async () => {
    await network?.stop();
  });
  const get = () => network;
  life(get);
  awards(get);
  privacy(get);
  quorums(get);
  claims(get);
  endings(get);
  crashes(get);
  outages(get);
  incidents(get);
  judgedClaims(get);
  losses(get);
});
