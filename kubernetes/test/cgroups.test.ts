import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseHierarchies } from "../src/cgroups.ts";

describe("cgroup hierarchies", () => {
  it("are found with their controllers on version 1", () => {
    const found = parseHierarchies(`25 30 0:22 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755
33 25 0:28 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct
34 25 0:29 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
35 25 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw`);
    assert.deepEqual(found, [
      { mountPoint: "/sys/fs/cgroup/cpu,cpuacct", version: 1, controllers: ["cpu", "cpuacct"] },
      { mountPoint: "/sys/fs/cgroup/freezer", version: 1, controllers: ["freezer"] },
      { mountPoint: "/sys/fs/cgroup/unified", version: 2, controllers: [] },
    ]);
  });

  it("are one on version 2", () => {
    const found = parseHierarchies(
      "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate",
    );
    assert.deepEqual(found, [{ mountPoint: "/sys/fs/cgroup", version: 2, controllers: [] }]);
  });
});
