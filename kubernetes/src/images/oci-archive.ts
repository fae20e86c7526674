import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, statSync } from "node:fs";
import { pipeline } from "node:stream/promises";
import { type Header, pack } from "tar-stream";

export interface ImageConfig {
  Env?: string[];
  Cmd?: string[];
  Entrypoint?: string[];
  User?: string;
}

export interface OciArchiveOptions {
  /** The one layer, an uncompressed tar. */
  layerFile: string;
  config: ImageConfig;
  /** The name that an import gives the image, such as `localhost/busybox:1`. */
  tag: string;
  output: string;
}

const MEDIA_TYPE = "application/vnd.oci.image";

/** Writes an image of one layer as an archive of the OCI image layout. Answers the manifest's digest. */
export async function writeOciArchive({
  layerFile,
  config,
  tag,
  output,
}: OciArchiveOptions): Promise<string> {
  const layer = { digest: await digestOfFile(layerFile), size: statSync(layerFile).size };
  const image = blob({
    architecture: process.arch === "arm64" ? "arm64" : "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  });
  const manifest = blob({
    schemaVersion: 2,
    mediaType: `${MEDIA_TYPE}.manifest.v1+json`,
    config: { mediaType: `${MEDIA_TYPE}.config.v1+json`, digest: image.digest, size: image.bytes.length },
    layers: [{ mediaType: `${MEDIA_TYPE}.layer.v1.tar`, ...layer }],
  });
  const index = blob({
    schemaVersion: 2,
    manifests: [
      {
        mediaType: `${MEDIA_TYPE}.manifest.v1+json`,
        digest: manifest.digest,
        size: manifest.bytes.length,
        annotations: { "io.containerd.image.name": tag, "org.opencontainers.image.ref.name": tag },
      },
    ],
  });
  const archive = pack();
  const written = pipeline(archive, createWriteStream(output));
  archive.entry(header("oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  archive.entry(header("index.json"), index.bytes);
  archive.entry(header(blobPath(image.digest)), image.bytes);
  archive.entry(header(blobPath(manifest.digest)), manifest.bytes);
  const entry = archive.entry({ ...header(blobPath(layer.digest)), size: layer.size });
  await pipeline(createReadStream(layerFile, { highWaterMark: 1 << 20 }), entry);
  archive.finalize();
  await written;
  return manifest.digest;
}

/** A file's header without anything that differs between two machines. */
export function header(name: string, fields: Partial<Header> = {}): Partial<Header> & { name: string } {
  return { mode: 0o644, uid: 0, gid: 0, mtime: new Date(0), ...fields, name };
}

function blob(value: unknown): { digest: string; bytes: Buffer } {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: `sha256:${createHash("sha256").update(bytes).digest("hex")}` };
}

function blobPath(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return `sha256:${hash.digest("hex")}`;
}
