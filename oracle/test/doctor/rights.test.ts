import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { neededRights } from "../../src/doctor/rights.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** `group/resource verb`, one for each. */
function grantsOf(rules: readonly Rule[]): string[] {
  return rules
    .flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${group}/${resource} ${verb}`)),
      ),
    )
    .sort();
}

describe("the oracle's account", () => {
  it("is granted by deploy/rbac.yaml what the doctor asks for, and nothing more", () => {
    const text = readFileSync(new URL("../../../deploy/rbac.yaml", import.meta.url), "utf8");
    const role = parseAllDocuments(text)
      .map((document) => document.toJS() as { kind: string; rules: Rule[] })
      .find(({ kind }) => kind === "ClusterRole");
    const needed = neededRights.map(({ group, resource, verbs }) => ({
      apiGroups: [group],
      resources: [resource],
      verbs,
    }));
    // Every account may ask what it may do; the role says so for clusters that took that away.
    const asking = {
      apiGroups: ["authorization.k8s.io"],
      resources: ["selfsubjectaccessreviews"],
      verbs: ["create"],
    };
    assert.deepEqual(grantsOf(role?.rules ?? []), grantsOf([...needed, asking]));
  });
});
