import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { KubeConfig } from "@kubernetes/client-node";
import { clusterImages } from "../../src/cluster/capacity.ts";
import { KubernetesApi } from "../../src/cluster/kubernetes-api.ts";

type Node = { spec?: { unschedulable?: boolean }; status?: { images?: { names?: string[] }[] } };

/** What the driver makes of an API server's list of nodes. */
async function imagesOf(t: TestContext, items: readonly Node[]) {
  const server = createServer(({ url }, response) =>
    response
      .writeHead(url?.startsWith("/api/v1/nodes") ? 200 : 404)
      .end(JSON.stringify({ items, metadata: {} })),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const config = new KubeConfig();
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  config.loadFromClusterAndUser({ name: "fake", server: address, skipTLSVerify: true }, { name: "nobody" });
  return clusterImages(new KubernetesApi(config, 5_000), AbortSignal.timeout(10_000));
}
const withImages = (count: number): Node => ({
  status: { images: Array.from({ length: count }, (_, number) => ({ names: [`localhost/i${number}:1`] })) },
});

describe("the images of a cluster", () => {
  it("are those of every node that takes pods, under all their names", async (t) => {
    const { names, isComplete } = await imagesOf(t, [
      { status: { images: [{ names: ["a@sha256:1", "a:1"] }, {}] } },
      { status: { images: [{ names: ["b@sha256:2"] }] } },
      { spec: { unschedulable: true }, status: { images: [{ names: ["c@sha256:3"] }] } },
      {},
    ]);
    assert.deepEqual([...names], ["a@sha256:1", "a:1", "b@sha256:2"]);
    assert.equal(isComplete, true);
  });

  it("may be more than a kubelet names, where it names as many as it does by default", async (t) => {
    assert.equal((await imagesOf(t, [withImages(49)])).isComplete, true);
    assert.equal((await imagesOf(t, [withImages(1), withImages(50)])).isComplete, false);
  });
});
