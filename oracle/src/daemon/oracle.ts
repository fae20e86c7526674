import { join } from "node:path";
import { DekuperError } from "@dekuper/protocol";
import { pino } from "pino";
import type { Address } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { LOCAL_CHAIN_IDS } from "../chain/checks.ts";
import { systemClock } from "../chain/clock.ts";
import { ChainReader } from "../chain/reader.ts";
import { StandstillWatch } from "../chain/standstill.ts";
import { TransactionQueue } from "../chain/transactions.ts";
import type { ClusterDriver } from "../cluster/driver.ts";
import { createKubernetesDriver } from "../cluster/kubernetes-driver.ts";
import { networkOf } from "../config/load.ts";
import type { OracleConfig } from "../config/schema.ts";
import { AttemptJournal } from "../journal/attempts.ts";
import { Database } from "../journal/database.ts";
import { DeliveryJournal } from "../journal/deliveries.ts";
import { FactStore } from "../journal/facts.ts";
import { QuoteJournal } from "../journal/quotes.ts";
import { TransactionJournal } from "../journal/transactions.ts";
import { readKeystore } from "../keystore/keystore.ts";
import { createBlobStore } from "../peer/blob-store.ts";
import { createLogStore } from "../peer/log-store.ts";
import type { PeerNode } from "../peer/peer.ts";
import { createPeerNode } from "../peer/peer-node.ts";
import { plainCipher } from "../result/checkpoint.ts";
import { createResultSealer } from "../result/seal.ts";
import { Accepter } from "./accepter.ts";
import { Attester } from "./attester.ts";
import { Checkpoints } from "./checkpoints.ts";
import { CoSigner } from "./co-signer.ts";
import { Exclusions } from "./exclusions.ts";
import { sendHeartbeats } from "./heartbeats.ts";
import { startHttpServer } from "./http-server.ts";
import { ImageChecker } from "./image-checker.ts";
import { LeaseActions } from "./lease-actions.ts";
import { LeaseFactReader } from "./lease-facts.ts";
import { LivenessView } from "./liveness-view.ts";
import { LogCapture, MAX_LOG_BYTES } from "./log-capture.ts";
import { MaterialStore } from "./material.ts";
import { createMetrics } from "./metrics.ts";
import { NodeMap } from "./node-map.ts";
import { errorFields, type OracleLog } from "./oracle-log.ts";
import { QuoteDesk } from "./quote-desk.ts";
import { readPolicyOf } from "./read-policy.ts";
import { takeReceipt } from "./receipts.ts";
import { Reconciler } from "./reconciler.ts";
import { checkChain, finalityOf, passwordOf, untilChecked, untilReachable } from "./start-checks.ts";
import { openStateFolder } from "./state-folder.ts";
import { TaskKeys } from "./task-keys.ts";
import { sweep, undoAll } from "./upkeep.ts";
import { DisputedChunks } from "./verdict-chunks.ts";
import { OpenClaims } from "./verdict-claims.ts";
import { VerdictCollector } from "./verdict-collector.ts";
import { VerdictDesk } from "./verdict-desk.ts";
import { Watch } from "./watch.ts";

export interface OracleOptions {
  readonly config: OracleConfig;
  /** Default: Kubernetes. Tests bring their own. */
  readonly driver?: ClusterDriver;
  readonly log?: OracleLog;
  /** Ends a start that still waits for RPC or cluster. */
  readonly signal?: AbortSignal;
  /** After each journalled step; tests stop the daemon here. */
  readonly onStep?: (step: string) => void;
}

/** A running daemon. */
export interface OracleHandle {
  readonly node: Address;
  readonly peerId: string;
  readonly multiaddrs: readonly string[];
  /** Of /healthz, /readyz, /metrics and /status. */
  readonly url: string;
  /** Resolves when the daemon has ended, rejects with why it had to. */
  readonly ended: Promise<void>;
  /** Takes no new lease, leaves pods running, closes everything. */
  stop(): Promise<void>;
}

const GET_LOGS_RANGE = 2_000;

/** The composition root: puts the parts together, starts them in order, and stops them in the reverse one. */
export async function runOracle(options: OracleOptions): Promise<OracleHandle> {
  const { config } = options;
  const network = networkOf(config);
  const { deployment } = network;
  const log: OracleLog = options.log ?? pino({ level: config.logLevel, base: null });
  const clock = systemClock;
  const undo: (() => unknown)[] = [];
  let stopped: Promise<void> | undefined;
  const stopAll = () => {
    stopped ??= undoAll(undo);
    return stopped;
  };
  try {
    const folder = openStateFolder(config.stateDir);
    undo.push(() => folder.release());
    const key = await readKeystore(config.keystore, passwordOf(config));
    const account = privateKeyToAccount(key.reveal() as `0x${string}`);
    const node = account.address;
    const running = new AbortController();

    const isLocalChain = LOCAL_CHAIN_IDS.has(deployment.chainId);
    const reader = new ChainReader({
      deployment,
      rpcUrls: config.rpcUrls ?? network.rpcUrls,
      finality: finalityOf(config, isLocalChain),
      minConfirmations: config.minConfirmations ?? (isLocalChain ? 1 : 2),
      clock,
    });
    await untilChecked(reader, network, log, options.signal);
    const db = new Database(config.stateDir);
    undo.push(() => db.close());
    const store = new FactStore(db);
    checkChain(store, deployment.deploymentBlockHash);
    const journal = new AttemptJournal(db, clock.now);

    const metrics = createMetrics();
    const driver =
      options.driver ??
      createKubernetesDriver({
        node,
        helperImage: config.helperImage,
        userNamespaces: config.userNamespaces,
        cpuRequestShare: config.cpuRequestShare,
        onRequest: (verb) => metrics.clusterRequests.inc({ verb }),
        ...(config.kubeconfig === undefined ? {} : { kubeconfig: config.kubeconfig }),
      });
    await untilReachable(() => driver.start(running.signal), log, { signal: options.signal });
    undo.push(() => driver.stop());
    const lock = { node, instanceId: folder.instanceId };
    const leader = await untilReachable(() => driver.acquireLeaderLock(lock, running.signal), log, {
      signal: options.signal,
    });
    undo.push(() => leader.release());

    const blobs = await createBlobStore({ dir: join(config.stateDir, "blobs") });
    undo.push(() => blobs.close());
    const logStore = createLogStore({ dir: join(config.stateDir, "logs"), maxBytes: MAX_LOG_BYTES });
    const nodes = new NodeMap(reader, deployment);
    await nodes.refresh();
    const deliveries = new DeliveryJournal(db, clock.now);
    const policy = readPolicyOf(journal, store, reader);
    const claims = new OpenClaims({ deployment, reader, store, clock });
    const chunks = new DisputedChunks({ node, blobs, claims });
    let desk: QuoteDesk | undefined;
    const view = new LivenessView({
      deployment,
      node,
      reader,
      nodes,
      lastHeard: (other) => peer.lastHeard(other),
      clock,
    });
    let started: Reconciler | undefined;
    const maySign = () => started?.maySign ?? false;
    const coSigner = new CoSigner({ deployment, account, reader, view, maySign });
    const peer: PeerNode = createPeerNode({
      operatorPrivateKey: key.reveal() as `0x${string}`,
      listen: config.listen,
      announce: config.announce,
      deployment,
      directory: nodes,
      blobStore: blobs,
      logStore,
      readPolicy: policy,
      quotes: {
        quote: async (request, asker) =>
          desk === undefined ? { refused: { reason: "starting", values: {} } } : desk.quote(request, asker),
      },
      reports: coSigner,
      claims: {
        takeReceipt: (receipt) =>
          takeReceipt({ deployment, attempts: journal, journal: deliveries, policy }, receipt),
        chunk: (request, attester) => chunks.serve(request, attester),
        verdict: (request) => deliveries.verdict(request),
      },
      log,
      count: (event, by = 1) => metrics.peer.inc({ event }, by),
    });
    await peer.start();
    undo.push(() => peer.stop());

    const queue = new TransactionQueue({
      account,
      chainId: deployment.chainId,
      taskRegistry: deployment.taskRegistry,
      liveness: deployment.liveness,
      reader,
      journal: new TransactionJournal(db, clock.now),
      clock,
      settings: {
        maxFeePerGas: BigInt(config.gas.maxFeePerGas),
        dailyCap: BigInt(config.gas.dailyCap),
        replaceAfterMs: config.gas.replaceAfter * 1000,
      },
      liveLeases: () =>
        journal
          .live()
          .filter(({ ended, steps }) => ended === undefined && steps.has("accepted") && !steps.has("posted"))
          .length,
      disputableLeases: () =>
        journal.live().filter(({ ended, steps }) => ended === undefined && steps.has("posted")).length,
      onEvent: (event, fields) => log.info(fields, event),
      ...(options.onStep === undefined ? {} : { onStep: options.onStep }),
    });
    const logs = new LogCapture(driver, logStore, ({ leaseId, attempt }, error) =>
      log.warn({ leaseId, attempt, error: errorFields(error) }, "log-capture-broke"),
    );
    undo.push(() => logs.stop());
    const images = new ImageChecker({
      driver,
      clock,
      settings: {
        isLocalNetwork: network.local,
        imageHosts: config.imageHosts,
        maxImageBytes: config.maxImageBytes,
      },
    });
    const taskKeys = new TaskKeys(key, node, store);
    const material = new MaterialStore(blobs, peer, config.maxInputBytes, images, taskKeys);
    const sealer = createResultSealer({ driver, blobStore: blobs });
    const checkpoints = new Checkpoints({
      driver,
      blobs,
      journal,
      peer,
      others: () => nodes.othersThan(node, peer.connectedNodes()),
      clock,
      log,
      signal: running.signal,
      settings: { maxBytes: config.maxCheckpointBytes, copies: config.checkpointCopies },
      cipherOf: (record) => (record.order.isPrivate ? taskKeys.cipherOf(record) : plainCipher),
    });
    const actions = new LeaseActions({
      deployment,
      account,
      reader,
      queue,
      driver,
      sealer,
      journal,
      deliveries,
      blobs,
      logs,
      material,
      checkpoints,
      onStep: options.onStep,
    });
    const accepter = new Accepter({
      deployment,
      node,
      reader,
      store,
      journal,
      queue,
      nodes,
      material,
      exclusions: new Exclusions(deployment, node, reader),
      log,
      settings: {
        isLocalNetwork: network.local,
        imageHosts: config.imageHosts,
        maxLeases: config.maxLeases,
        maxInputBytes: config.maxInputBytes,
        isolation: config.isolation,
      },
    });
    const facts = new LeaseFactReader(reader, deployment, node);
    const watch = new Watch({
      deployment,
      node,
      reader,
      store,
      journal,
      queue,
      nodes,
      facts,
      accepter,
      clock,
      log,
    });
    const verdicts = new VerdictDesk({
      deployment,
      account,
      claims,
      collector: new VerdictCollector({ deployment, node, claims, journal: deliveries, peer }),
      journal: deliveries,
      peer,
      queue,
      nodes,
      clock,
      log,
    });
    const ended = Promise.withResolvers<void>();
    ended.promise.catch(() => undefined); // whoever waits for it gets it; nobody has to
    const reconciler = new Reconciler({
      deployment,
      node,
      reader,
      store,
      journal,
      queue,
      standstill: new StandstillWatch(reader, deployment.chainId, clock),
      driver,
      nodes,
      facts,
      material,
      actions,
      accepter,
      watch,
      verdicts,
      logs,
      metrics,
      clock,
      log,
      settings: {
        pollMs: config.pollInterval,
        range: GET_LOGS_RANGE,
        adopt: config.adopt,
        claimInterval: config.claimInterval ?? (network.local ? 5 : 600),
        keepFinishedPods: config.keepFinishedPods,
      },
      onFatal: (error) => end(error),
    });
    started = reconciler;
    desk = new QuoteDesk({
      deployment,
      account,
      reader,
      accepter,
      state: () => reconciler.nodeState(),
      attempts: journal,
      journal: new QuoteJournal(db, clock.now),
      images,
      clock,
      log,
      settings: { quoteLife: config.quoteLife, allowsQuorum: config.allowQuorum },
      signal: running.signal,
    });
    const attester = new Attester({
      deployment,
      node,
      reader,
      queue,
      peer,
      view,
      coSigner,
      maySign,
      metrics: metrics.committee,
      clock,
      log,
    });
    const end = (error?: DekuperError) => {
      reconciler.isStopping = true;
      running.abort();
      if (error === undefined) ended.resolve();
      else ended.reject(error);
    };
    leader.lost.addEventListener(
      "abort",
      () =>
        end(
          new DekuperError(
            "LEADER_LOCK_HELD",
            "The leader lock was lost: another daemon may run with this key.",
          ),
        ),
      { once: true },
    );
    undo.push(
      peer.onTwin((heartbeat) => {
        reconciler.maySign = false;
        metrics.twins.set(1);
        queue.freeze(
          new DekuperError(
            "LEADER_LOCK_HELD",
            "Another daemon was seen under this key: nothing is signed any more.",
          ),
        );
        log.error({ instanceId: heartbeat.instanceId, code: "LEADER_LOCK_HELD" }, "twin-seen");
      }),
    );
    const http = await startHttpServer(config.httpHost, config.httpPort, {
      registry: metrics.registry,
      notReady: () =>
        reconciler.problem ??
        (reconciler.readOnly
          ? "JOURNAL_EMPTY: start with adopt"
          : reconciler.maySign
            ? undefined
            : "another daemon has this key"),
      status: () => ({
        node,
        peerId: peer.peerId,
        multiaddrs: peer.multiaddrs,
        instanceId: folder.instanceId,
        headBlock: reader.lastReadable?.head.number,
        /** Up to which events have been read. */
        readBlock: store.cursor()?.number,
        problem: reconciler.problem,
        leases: journal.live().map(({ leaseId, attempt, steps, ended: status }) => ({
          leaseId,
          attempt,
          steps: [...steps],
          ended: status,
        })),
        heartbeats: { peers: peer.presence().size, received: peer.heartbeatsReceived },
        connected: peer.connectedNodes(),
        committee: attester.status,
      }),
    });
    undo.push(() => http.stop());

    const loops = [
      reconciler.run(running.signal),
      sendHeartbeats({
        peer,
        reader,
        deployment,
        node,
        instanceId: folder.instanceId,
        load: () => ({
          freeGpus: nodes.entry(node)?.available.gpus ?? 0,
          leases: journal.live().filter(({ ended }) => ended === undefined).length,
        }),
        maySign,
        clock,
        log,
        signal: running.signal,
      }),
      attester.run(running.signal),
      sweep([blobs, logStore], clock, log, running.signal),
    ];
    undo.push(async () => {
      end();
      await Promise.allSettled([...loops, checkpoints.settled()]);
    });
    log.info({ node, peerId: peer.peerId, multiaddrs: peer.multiaddrs, url: http.url }, "oracle-started");
    return {
      node,
      peerId: peer.peerId,
      multiaddrs: peer.multiaddrs,
      url: http.url,
      ended: ended.promise,
      stop: stopAll,
    };
  } catch (error) {
    await stopAll().catch((cause: unknown) => log.warn({ error: errorFields(cause) }, "stop-failed"));
    throw error;
  }
}
