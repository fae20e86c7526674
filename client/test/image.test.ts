import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fetchPublic, isPublicAddress, type RegistryAnswer, resolveImage } from "../src/node/image.ts";

const digest = `sha256:${"ab".repeat(32)}`;
const answer = (status: number, headers: Record<string, string> = {}, body = ""): RegistryAnswer => ({
  status,
  headers,
  body,
});

describe("resolveImage", () => {
  it("asks the registry for the tag's digest", async () => {
    const asked: string[] = [];
    const image = await resolveImage("ghcr.io/owner/app:v1", async (url) => {
      asked.push(url.href);
      return answer(200, { "docker-content-digest": digest });
    });
    assert.equal(image, `ghcr.io/owner/app@${digest}`);
    assert.deepEqual(asked, ["https://ghcr.io/v2/owner/app/manifests/v1"]);
  });

  it("fetches an anonymous token where the registry asks for one", async () => {
    const asked: [string, string | undefined][] = [];
    const image = await resolveImage("python:3.13", async (url, headers) => {
      asked.push([url.href, headers.authorization]);
      if (url.host === "auth.docker.io") return answer(200, {}, JSON.stringify({ token: "t" }));
      return headers.authorization === undefined
        ? answer(401, {
            "www-authenticate":
              'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/python:pull"',
          })
        : answer(200, { "docker-content-digest": digest });
    });
    assert.equal(image, `docker.io/library/python@${digest}`);
    assert.deepEqual(asked, [
      ["https://registry-1.docker.io/v2/library/python/manifests/3.13", undefined],
      [
        "https://auth.docker.io/token?service=registry.docker.io&scope=repository%3Alibrary%2Fpython%3Apull",
        undefined,
      ],
      ["https://registry-1.docker.io/v2/library/python/manifests/3.13", "Bearer t"],
    ]);
  });

  it("leaves a reference by digest alone", async () => {
    const named = `ghcr.io/a/b@${digest}`;
    assert.equal(await resolveImage(named, async () => assert.fail("nothing is to be asked")), named);
  });

  it("says which image does not exist", async () => {
    const missing = resolveImage("ghcr.io/a/b:none", async () => answer(404));
    await assert.rejects(missing, {
      code: "IMAGE_NOT_FOUND",
      message: "ghcr.io knows no public image a/b:none (HTTP 404).",
    });
    await assert.rejects(
      resolveImage("ghcr.io/a/b:x", async () => answer(200)),
      { code: "IMAGE_NOT_FOUND" },
    );
    await assert.rejects(resolveImage("Not An Image"), { code: "IMAGE_INVALID" });
  });
});

describe("fetchPublic", () => {
  it("reaches public addresses by https only", async () => {
    for (const url of ["http://example.com/", "https://127.0.0.1/", "https://[::1]/", "https://localhost/"]) {
      await assert.rejects(fetchPublic(new URL(url), {}, "HEAD"), { code: "IMAGE_NOT_FOUND" });
    }
  });

  it("knows which addresses are not public", () => {
    for (const address of [
      "10.1.2.3",
      "100.64.0.1",
      "127.0.0.1",
      "169.254.169.254",
      "172.31.0.1",
      "192.168.1.1",
      "224.0.0.1",
      "255.255.255.255",
      "0.0.0.0",
      "::",
      "::1",
      "fe80::1",
      "fd00::1",
      "::ffff:10.0.0.1",
      "64:ff9b::a00:1",
      "2001:db8::1",
      "2002:a00:1::",
    ]) {
      assert.equal(isPublicAddress(address), false, address);
    }
    for (const address of ["1.1.1.1", "172.32.0.1", "2606:4700::1111"])
      assert.equal(isPublicAddress(address), true, address);
  });
});
