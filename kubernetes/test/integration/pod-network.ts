import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { runCommand } from "../../src/command.ts";
import type { RunningCluster } from "../../src/index.ts";
import { inNetworkNamespace } from "../../src/network.ts";
import { getPod } from "./cluster-fixture.ts";
import { podProcesses } from "./pod-cgroup.ts";

/** A script of ours that runs in a pod's network namespace until it is stopped. */
export interface PodServer {
  nextLine(): Promise<string>;
  stop(): void;
}

/** A pod's network namespace, entered from the host as root: what a task could do that had every capability there. */
export class PodNetwork {
  readonly address: string;
  readonly #path: string;

  private constructor(path: string, address: string) {
    this.#path = path;
    this.address = address;
  }

  static async of(cluster: RunningCluster, namespace: string, pod: string): Promise<PodNetwork> {
    const { metadata, status } = await getPod(cluster, namespace, pod);
    const pid = podProcesses(cluster.stateDir, metadata.uid)[0];
    return new PodNetwork(`/proc/${pid}/ns/net`, status.podIP ?? "");
  }

  run(...command: string[]): Promise<string> {
    const [program = "", ...args] = inNetworkNamespace(this.#path, command);
    return runCommand(program, args);
  }

  runScript(code: string): Promise<string> {
    return this.run(process.execPath, "-e", code);
  }

  /** Starts a script and waits for its first line, by which it says that it listens. */
  async serve(code: string): Promise<PodServer> {
    const [program = "", ...args] = inNetworkNamespace(this.#path, [process.execPath, "-e", code]);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const nextLine = async (): Promise<string> => (await lines.next()).value ?? "";
    await nextLine();
    return { nextLine, stop: () => child.kill("SIGKILL") };
  }
}
