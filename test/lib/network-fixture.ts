import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  deriveTaskKey,
  type FetchedDelivery,
  fetchDelivery,
  memoryCiphertext,
  memorySink,
  type OrderPath,
  type SubmittedTask,
  type TaskDetail,
} from "@dekuper/client";
import { loadTask } from "@dekuper/client/node";
import type { LeaseStatus, Network } from "@dekuper/protocol";
import type { Hex } from "viem";
import { orderTask } from "../../cli/src/network/demo/order-task.ts";
import { type ConsumerSession, openSession } from "../../cli/src/network/demo/session.ts";
import { stopNetwork } from "../../cli/src/network/down.ts";
import type { Progress } from "../../cli/src/network/output.ts";
import { type LocalNetwork, NetworkState } from "../../cli/src/network/state.ts";
import { startNetwork, type UpOptions } from "../../cli/src/network/up.ts";

/** What a test wants of a task; everything else is small and quick. */
export interface TaskWish {
  readonly name?: string;
  readonly command: readonly string[];
  readonly image?: string;
  readonly memory?: string;
  readonly duration?: string;
  readonly maxSize?: string;
  readonly gpu?: number;
  readonly cpu?: number;
  readonly inputs?: Readonly<Record<string, string>>;
  /** More fields of the task file, such as `nodes`. */
  readonly more?: Readonly<Record<string, unknown>>;
}

/** A task.yaml (JSON is YAML) of a small task in busybox. */
export function taskFile(wish: TaskWish): { text: string; inputs: Readonly<Record<string, string>> } {
  const inputs = wish.inputs ?? {};
  const text = JSON.stringify({
    name: wish.name ?? "test",
    public: true,
    template: "container",
    image: wish.image ?? "busybox",
    command: wish.command,
    resources: {
      cpu: wish.cpu ?? 1,
      gpu: wish.gpu ?? 0,
      memory: wish.memory ?? "64Mi",
      storage: "64Mi",
      duration: wish.duration ?? "2m",
    },
    output: { maxSize: wish.maxSize ?? "8Mi" },
    ...(Object.keys(inputs).length === 0 ? {} : { inputs: Object.keys(inputs).map((from) => ({ from })) }),
    ...wish.more,
  });
  return { text, inputs };
}

export interface Submitted extends SubmittedTask {
  /** When its receipt was here (`performance.now()`). */
  readonly seenAt: number;
}

/** A running local network with a consumer's session: what integration tests and benches work on. */
export interface NetworkFixture {
  readonly state: NetworkState;
  readonly record: LocalNetwork & { network: Network };
  readonly session: ConsumerSession;
  /** Orders a task: whoever accepts its posted rate has it ["open"], or the cheapest by quotes. */
  submit(task: ReturnType<typeof taskFile>, path?: OrderPath): Promise<Submitted>;
  untilStatus(id: Hex, wanted: readonly LeaseStatus[], timeoutMs?: number): Promise<TaskDetail>;
  untilDetail(id: Hex, holds: (detail: TaskDetail) => boolean, timeoutMs?: number): Promise<TaskDetail>;
  /** Fetches, decrypts and verifies into memory. */
  fetch(id: Hex): Promise<FetchedDelivery & { output: ReadonlyMap<string, string>; log: string }>;
  /** The label that the lease's objects carry in the cluster. */
  labelOf(leaseId: Hex): string;
  /** Starts the consumer's peer anew: it knows the nodes that were registered when it started. */
  reconnect(): Promise<void>;
  stop(): Promise<void>;
}

const ignore = () => undefined;
const quiet: Progress = { step: ignore, detail: ignore, activity: ignore, done: ignore };

/** Starts a network; deposits 500 dollars for the consumer. */
export async function openNetwork(
  options: { stateDir?: string } & Partial<Omit<UpOptions, "state">> = {},
): Promise<NetworkFixture> {
  const stateDir = options.stateDir ?? (await mkdtemp(join(tmpdir(), "dekuper-test-")));
  const state = new NetworkState(stateDir);
  const { record } = await startNetwork({ progress: quiet, ...options, state });
  let session = await openSession(record.network, record.accounts.consumer);
  await session.market.deposit(500_000_000n);
  const untilDetail: NetworkFixture["untilDetail"] = async (id, holds, timeoutMs = 120_000) => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const detail = await session.market.taskDetail(id);
      if (holds(detail)) return detail;
      if (Date.now() > deadline)
        throw new Error(
          `after ${timeoutMs} ms ${detail.leases.map(({ leaseId, status }) => `${leaseId} is ${status}`).join(", ")}`,
        );
      await sleep(200);
    }
  };
  return {
    state,
    record,
    get session() {
      return session;
    },
    submit: (task, path = "open") => submit(session, task, path),
    untilDetail,
    untilStatus: async (id, wanted, timeoutMs = 120_000) => {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const { lease } = await session.market.task(id);
        if (wanted.includes(lease.status)) return session.market.taskDetail(id);
        const ended = ["Settled", "Cancelled", "Failed", "Expired"].includes(lease.status);
        if (ended || Date.now() > deadline)
          throw new Error(`the lease is ${lease.status}, ${wanted.join(" or ")} was awaited`);
        await sleep(200);
      }
    },
    fetch: (id) => fetchToMemory(session, id),
    labelOf: (leaseId) => leaseId.slice(2, 18),
    reconnect: async () => {
      await session.peer.stop();
      session = await openSession(record.network, record.accounts.consumer);
    },
    stop: async () => {
      await session.peer.stop();
      await stopNetwork(state, quiet);
    },
  };
}

async function submit(
  session: ConsumerSession,
  { text, inputs }: ReturnType<typeof taskFile>,
  path: OrderPath,
): Promise<Submitted> {
  const { market, key } = session;
  const folder = await mkdtemp(join(tmpdir(), "dekuper-task-"));
  try {
    const file = join(folder, "task.yaml");
    await writeFile(file, text);
    for (const [name, content] of Object.entries(inputs)) await writeFile(join(folder, name), content);
    const token = await market.token();
    const { network } = market;
    // Only a task that does not say `public: true` is sealed under it.
    const taskKey = deriveTaskKey(key);
    const task = await loadTask({ path: file, network, token, recipient: key.recipient, taskKey });
    const submitted = await orderTask({ session, task, path });
    return { ...submitted, seenAt: performance.now() };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function fetchToMemory(session: ConsumerSession, id: Hex) {
  const { market, peer, signer, key } = session;
  const sink = memorySink();
  const delivery = await fetchDelivery({ market, peer, signer, key, id, store: memoryCiphertext(), sink });
  const text = new TextDecoder();
  return {
    ...delivery,
    output: new Map([...sink.files].map(([path, bytes]) => [path, text.decode(bytes)] as const)),
    log: text.decode(sink.logBytes()),
  };
}
