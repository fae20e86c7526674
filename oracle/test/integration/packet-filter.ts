import { runCommand } from "../../../kubernetes/src/command.ts";
import { lockHolder } from "../../../kubernetes/src/file-lock.ts";
import { clusterLayout } from "../../../kubernetes/src/layout.ts";
import { inNetworkNamespace } from "../../../kubernetes/src/network.ts";
import { signalProcess } from "../../../kubernetes/src/processes.ts";
import { cluster } from "./embedded-cluster.ts";

/**
 * Takes the cluster's packet filter away for a while: pods reach each other, as in a cluster without a NetworkPolicy
 * controller. The supervisor, which would put it back with the next pod, stands still meanwhile.
 */
export async function withoutPacketFilter<T>(use: () => Promise<T>): Promise<T> {
  const { netnsPath, supervisorLock } = clusterLayout(cluster().stateDir);
  const nft = (args: string[], input = ""): Promise<string> => {
    const [program = "", ...rest] = inNetworkNamespace(netnsPath, ["nft", ...args]);
    return runCommand(program, rest, { input });
  };
  const supervisor = lockHolder(supervisorLock);
  if (supervisor === undefined) throw new Error("the cluster has no supervisor");
  signalProcess(supervisor.pid, "SIGSTOP");
  try {
    const table = await nft(["--stateless", "list", "table", "inet", "dekuper"]);
    await nft(["delete", "table", "inet", "dekuper"]);
    try {
      return await use();
    } finally {
      await nft(["-f", "-"], table);
    }
  } finally {
    signalProcess(supervisor.pid, "SIGCONT");
  }
}
