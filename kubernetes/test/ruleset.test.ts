import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterAddresses } from "../src/addresses.ts";
import { groupPods, type PodFacts, renderRuleset, resolvingPods } from "../src/ruleset.ts";

const addresses = clusterAddresses(3);

function pod(namespace: string, ip: string | undefined, rest: Partial<PodFacts> = {}): PodFacts {
  return { namespace, ip, phase: "Running", hostNetwork: false, ...rest };
}

describe("who may talk to whom", () => {
  it("groups pods by their namespace", () => {
    const groups = groupPods([pod("b", "10.214.3.4"), pod("a", "10.214.3.2"), pod("a", "10.214.3.3")]);
    assert.deepEqual(
      [...groups],
      [
        ["a", ["10.214.3.2", "10.214.3.3"]],
        ["b", ["10.214.3.4"]],
      ],
    );
  });

  it("leaves out pods without an address, of the host's network, and finished ones", () => {
    const pods = [
      pod("a", undefined),
      pod("a", "10.213.3.2", { hostNetwork: true }),
      pod("a", "10.214.3.5", { phase: "Succeeded" }),
      pod("a", "10.214.3.6", { phase: "Failed" }),
    ];
    assert.equal(groupPods(pods).size, 0);
  });

  it("gives an address that a finished pod had to the pod that has it now", () => {
    const groups = groupPods([pod("old", "10.214.3.2", { phase: "Succeeded" }), pod("new", "10.214.3.2")]);
    assert.deepEqual([...groups.keys()], ["new"]);
  });

  it("gives an address that two namespaces claim to neither", () => {
    assert.equal(groupPods([pod("a", "10.214.3.2"), pod("b", "10.214.3.2"), pod("a", "10.214.3.2")]).size, 0);
  });
});

describe("the packet filter", () => {
  it("drops by default where a packet comes in or passes", () => {
    const rules = renderRuleset(addresses, new Map());
    assert.match(rules, /hook input priority filter; policy drop;/);
    assert.match(rules, /hook forward priority filter; policy drop;/);
    assert.match(rules, /meta nfproto ipv6 drop/);
  });

  it("accepts nothing from a pod to the node but DNS", () => {
    const input = renderRuleset(addresses, new Map()).split("chain input")[1]?.split("}\n  chain")[0] ?? "";
    const accepts = input.split("\n").filter((line) => line.includes("accept"));
    assert.deepEqual(
      accepts.map((line) => line.trim()),
      [
        'iifname { "lo", "uplink" } accept',
        "ip saddr @resolving ip daddr 10.213.3.2 udp dport 53 accept",
        "ip saddr @resolving ip daddr 10.213.3.2 tcp dport 53 accept",
      ],
    );
  });

  it("lets pods ask the cluster's DNS, but for those that are to resolve nothing", () => {
    const pods = [
      pod("a", "10.214.3.3"),
      pod("a", "10.214.3.2"),
      pod("b", "10.214.3.4", { dnsPolicy: "None" }),
      pod("c", "10.214.3.5", { phase: "Failed" }),
    ];
    const groups = groupPods(pods);
    const resolving = resolvingPods(pods, groups);
    assert.deepEqual(resolving, ["10.214.3.2", "10.214.3.3"]);
    const rules = renderRuleset(addresses, groups, resolving);
    assert.match(
      rules,
      /set resolving \{\n\s+type ipv4_addr\n\s+elements = \{ 10\.214\.3\.2, 10\.214\.3\.3 \}/,
    );
  });

  it("sends each pod's packets through the chain of its own namespace only", () => {
    const groups = groupPods([pod("a", "10.214.3.2"), pod("a", "10.214.3.3"), pod("b", "10.214.3.4")]);
    const rules = renderRuleset(addresses, groups);
    assert.match(rules, /chain namespace_0 \{\n\s+ip daddr \{ 10\.214\.3\.2, 10\.214\.3\.3 \} accept/);
    assert.match(rules, /chain namespace_1 \{\n\s+ip daddr \{ 10\.214\.3\.4 \} accept/);
    assert.match(rules, /10\.214\.3\.4 : jump namespace_1/);
    assert.doesNotMatch(rules, /10\.214\.3\.4 : jump namespace_0/);
  });

  it("caps what one pod may open and ask in a second, whatever the address", () => {
    const prerouting =
      renderRuleset(addresses, new Map()).split("chain prerouting")[1]?.split("  }\n")[0] ?? "";
    assert.match(prerouting, /== syn update @opening \{ ip saddr limit rate over 100\/second/);
    assert.match(prerouting, /udp dport 53 update @asking \{ ip saddr limit rate over 200\/second/);
  });

  it("replaces the whole table in one transaction", () => {
    assert.match(
      renderRuleset(addresses, new Map()),
      /^table inet dekuper\ndelete table inet dekuper\ntable inet/,
    );
  });
});
