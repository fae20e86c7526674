import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { runCommand } from "../command.ts";
import { header } from "./oci-archive.ts";

const BUSYBOX = "/bin/busybox";
const PASSWD =
  "root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n";
const GROUP = "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n";

/** Writes the layer of `busybox` and `pause`: Debian's statically linked busybox under all its names. */
export async function writeBusyboxLayer(output: string): Promise<void> {
  const applets = (await runCommand(BUSYBOX, ["--list"]))
    .split("\n")
    .filter((name) => name && name !== "busybox");
  const layer = pack();
  const written = pipeline(layer, createWriteStream(output));
  for (const name of ["bin", "etc", "home", "root"])
    layer.entry(header(name, { type: "directory", mode: 0o755 }));
  layer.entry(header("tmp", { type: "directory", mode: 0o1777 }));
  layer.entry(header("bin/busybox", { mode: 0o755 }), await readFile(BUSYBOX));
  for (const name of applets.sort())
    layer.entry(header(`bin/${name}`, { type: "symlink", linkname: "busybox" }));
  layer.entry(header("etc/passwd"), PASSWD);
  layer.entry(header("etc/group"), GROUP);
  layer.finalize();
  await written;
}
