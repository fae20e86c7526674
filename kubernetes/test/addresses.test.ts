import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { chooseSubnet, clusterAddresses, overlaps } from "../src/addresses.ts";
import { KubernetesError } from "../src/errors.ts";

describe("address plans", () => {
  it("gives two clusters networks that do not touch", () => {
    const [a, b] = [clusterAddresses(0), clusterAddresses(1)];
    assert.equal(overlaps(a.linkCidr, b.linkCidr), false);
    assert.equal(overlaps(a.podCidr, b.podCidr), false);
    assert.equal(overlaps(a.linkCidr, a.podCidr), false);
  });

  it("knows when one network holds another", () => {
    assert.equal(overlaps("10.0.0.0/8", "10.213.4.0/30"), true);
    assert.equal(overlaps("10.213.4.2", "10.213.4.0/30"), true);
    assert.equal(overlaps("10.213.4.4/30", "10.213.4.0/30"), false);
    assert.equal(overlaps("0.0.0.0/0", "192.168.1.0/24"), true);
  });

  it("takes the first plan that is free", () => {
    assert.equal(chooseSubnet({ taken: [], hostRoutes: [] }), 0);
    assert.equal(chooseSubnet({ taken: [0, 1, 3], hostRoutes: [] }), 2);
  });

  it("keeps the plan a state folder had, unless another cluster has it now", () => {
    assert.equal(chooseSubnet({ taken: [0], hostRoutes: [], preferred: 7 }), 7);
    assert.equal(chooseSubnet({ taken: [7], hostRoutes: [], preferred: 7 }), 0);
    assert.equal(chooseSubnet({ taken: [], hostRoutes: [], preferred: 4000 }), 0);
  });

  it("leaves out plans that the host routes elsewhere", () => {
    assert.equal(chooseSubnet({ taken: [], hostRoutes: ["10.214.0.0/23", "10.213.2.1"] }), 3);
  });

  it("says so when a network of the host covers them all", () => {
    const choose = () => chooseSubnet({ taken: [], hostRoutes: ["10.0.0.0/8"] });
    assert.throws(choose, (error) => error instanceof KubernetesError && error.code === "NO_FREE_SUBNET");
  });
});
