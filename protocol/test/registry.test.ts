import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import {
  fetchPublic,
  findImage,
  isPublicAddress,
  type RegistryAnswer,
  resolveImage,
} from "../src/node/registry.ts";

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

describe("findImage", () => {
  const of = (manifest: object) => {
    const body = JSON.stringify(manifest);
    return { body, digest: `sha256:${createHash("sha256").update(body).digest("hex")}` };
  };
  const part = (size: number) => ({ digest, size });
  const image = of({ schemaVersion: 2, config: part(7), layers: [part(100), part(1_000)] });
  const entry = (os: string, architecture: string, digest: string) => ({
    digest,
    size: 1,
    platform: { os, architecture },
  });
  const index = of({
    manifests: [entry("linux", "arm64", digest), entry("linux", "amd64", image.digest)],
  });
  /** A registry that has these manifests, and says which were asked for. */
  const registry = (...manifests: { body: string; digest: string }[]) => {
    const asked: string[] = [];
    const fetch = async (url: URL, _headers: Record<string, string>, method: string) => {
      asked.push(`${method} ${url.href}`);
      const found = manifests.find(({ digest }) => url.pathname.endsWith(`/manifests/${digest}`));
      return found === undefined ? answer(404) : answer(200, {}, found.body);
    };
    return { asked, fetch };
  };

  it("adds up what is downloaded of an image: its config and its layers", async () => {
    const { fetch, asked } = registry(image);
    const found = await findImage(`docker.io/busybox@${image.digest}`, undefined, fetch);
    assert.deepEqual(found, { kind: "found", bytes: 1_107 });
    assert.deepEqual(asked, [
      `GET https://registry-1.docker.io/v2/library/busybox/manifests/${image.digest}`,
    ]);
  });

  it("takes linux/amd64 of an index", async () => {
    const { fetch, asked } = registry(index, image);
    const found = await findImage(`ghcr.io/a/b@${index.digest}`, undefined, fetch);
    assert.deepEqual(found, { kind: "found", bytes: 1_107 });
    assert.equal(asked.length, 2);
  });

  it("finds none for linux/amd64 in an index without it, and follows no index in an index", async () => {
    const arm = of({ manifests: [entry("linux", "arm64", digest)] });
    const nested = of({ manifests: [entry("linux", "amd64", index.digest)] });
    const { fetch } = registry(arm, nested, index, image);
    for (const { digest } of [arm, nested])
      assert.deepEqual(await findImage(`ghcr.io/a/b@${digest}`, undefined, fetch), {
        kind: "other-platform",
      });
  });

  it("is missing where the registry knows none, or shows it to nobody without a login", async () => {
    for (const status of [401, 403, 404])
      assert.deepEqual(await findImage(`ghcr.io/a/b@${digest}`, undefined, async () => answer(status)), {
        kind: "missing",
      });
  });

  it("asks with an anonymous token where the registry wants one", async () => {
    const found = await findImage(`ghcr.io/a/b@${image.digest}`, undefined, async (url, headers) => {
      if (url.pathname === "/token") return answer(200, {}, JSON.stringify({ token: "t" }));
      return headers.authorization === "Bearer t"
        ? answer(200, {}, image.body)
        : answer(401, { "www-authenticate": 'Bearer realm="https://ghcr.io/token",service="ghcr.io"' });
    });
    assert.equal(found.kind, "found");
  });

  it("is to be asked again where there is no answer, or none that can be believed", async () => {
    const wrong = [
      answer(500),
      answer(429),
      answer(200, {}, JSON.stringify({ config: part(1), layers: [] })),
    ];
    for (const given of wrong)
      await assert.rejects(
        findImage(`ghcr.io/a/b@${digest}`, undefined, async () => given),
        { code: "IMAGE_NOT_FOUND", retryable: true },
      );
    const busyToken = async (url: URL) =>
      url.pathname === "/token"
        ? answer(503)
        : answer(401, { "www-authenticate": 'Bearer realm="https://ghcr.io/token"' });
    await assert.rejects(findImage(`ghcr.io/a/b@${digest}`, undefined, busyToken), { retryable: true });
    const unreadable = of({ layers: [{ digest: "sha256:../..", size: -1 }] });
    await assert.rejects(
      findImage(`ghcr.io/a/b@${unreadable.digest}`, undefined, registry(unreadable).fetch),
      {
        retryable: true,
      },
    );
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
