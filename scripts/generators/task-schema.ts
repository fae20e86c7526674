import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { taskFileJsonSchema } from "../../protocol/src/task-file.ts";
import { type GeneratedFile, pathOf } from "./generated-file.ts";

const path = "protocol/task.schema.json";

/** The JSON Schema of `task.yaml`, for editors. */
export const taskSchema: GeneratedFile = {
  path,
  render: () => formatted(JSON.stringify(taskFileJsonSchema())),
};

/** As Biome, which checks the file too, writes JSON. */
async function formatted(json: string): Promise<string> {
  const biome = spawn(pathOf("node_modules/.bin/biome"), ["format", `--stdin-file-path=${path}`], {
    cwd: pathOf("."),
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve) => biome.once("close", resolve));
  biome.stdin.end(json);
  const output = await text(biome.stdout);
  if ((await ended) !== 0) throw new Error("biome format failed");
  return output;
}
