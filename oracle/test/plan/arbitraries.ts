import { leaseStatuses } from "@dekuper/protocol";
import fc from "fast-check";
import type {
  BallotFacts,
  ClusterFacts,
  JournalFacts,
  LeaseFacts,
  MaterialFacts,
  NodeFacts,
} from "../../src/plan/facts.ts";
import { type Facts, T0 } from "./builders.ts";

/** Times lie close together, so that every order of the deadlines comes up. */
const time = fc.integer({ min: T0, max: T0 + 100 });
const span = fc.integer({ min: 0, max: 120 });
const shortSpan = fc.integer({ min: 0, max: 40 });
const flag = fc.boolean();
/** Mostly one way, so that what rests on several such facts comes up often. */
const mostly = (usual: boolean) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: fc.constant(!usual) });

const anyBallot: fc.Arbitrary<BallotFacts> = fc.record({
  revealUntil: fc.oneof(fc.constant(0), time),
  isOpenConfirmed: flag,
  revealWindow: span,
  allRevealedSince: fc.option(time, { nil: undefined }),
  turn: fc.integer({ min: 0, max: 3 }),
  isTallied: mostly(false),
  hasWinner: flag,
});

export const anyLease: fc.Arbitrary<LeaseFacts> = fc.record({
  evidence: fc.constantFrom("readable", "readable", "readable", "unreadable"),
  status: fc.oneof(
    fc.constantFrom("Assigned" as const, "Running" as const, "Stopping" as const),
    fc.constantFrom(...leaseStatuses),
  ),
  isMine: mostly(true),
  isConfirmed: flag,
  isFinallyOver: flag,
  hasKey: mostly(true),
  acceptedAt: time,
  startDeadline: time,
  startedAt: time,
  lastClaimAt: time,
  lastStep: fc.nat(9),
  completeBy: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: T0, max: T0 + 400 }) },
    { weight: 1, arbitrary: fc.constant(Number.POSITIVE_INFINITY) },
  ),
  challengeEndsAt: time,
  answerUntil: time,
  maxSeconds: fc.integer({ min: 0, max: 300 }),
  stopReason: fc.constantFrom("cancelled", "peer-lost"),
  ballot: fc.option(anyBallot, { nil: undefined }),
  completionGrace: span,
  outageGrace: span,
  minCheckpointInterval: shortSpan,
});

export const anyCluster: fc.Arbitrary<ClusterFacts> = fc.oneof(
  { weight: 1, arbitrary: fc.constant<ClusterFacts>({ isReachable: false }) },
  {
    weight: 2,
    arbitrary: fc.record({ isReachable: fc.constant(true as const), missingFor: fc.nat(20) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      isReachable: fc.constant(true as const),
      missingFor: fc.constant(0),
      pod: fc.record({
        stage: fc.constantFrom("pending", "awaiting-inputs", "running", "exited", "gone"),
        isTerminating: mostly(false),
      }),
    }),
  },
);

export const anyJournal: fc.Arbitrary<JournalFacts> = fc.record({
  podSeen: flag,
  inputsSent: flag,
  stopAsked: flag,
  sealed: mostly(false),
  attested: mostly(false),
  signed: flag,
  hasReceipt: flag,
  canReveal: flag,
  keyGiven: flag,
  released: flag,
  tornDown: flag,
  ended: mostly(false),
  podSeconds: fc.integer({ min: 0, max: 300 }),
});

export const anyNode: fc.Arbitrary<NodeFacts> = fc.record({
  mayAct: mostly(true),
  maySign: mostly(true),
  diskFull: flag,
  claimInterval: shortSpan,
  keepFinishedPods: flag,
});

export const anyMaterial: fc.Arbitrary<MaterialFacts> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<MaterialFacts>({ kind: "ready" }) },
  { weight: 1, arbitrary: fc.constant<MaterialFacts>({ kind: "unknown" }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("missing" as const), retryAt: time }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("unfit" as const), problem: fc.constant("image-not-found") }),
  },
);

/** Any facts at all, the impossible ones included: what the planner promises holds for them too. */
export const anyFacts: fc.Arbitrary<Facts> = fc.record({
  lease: anyLease,
  cluster: anyCluster,
  journal: anyJournal,
  node: anyNode,
  material: anyMaterial,
});

export const anyTime = fc.integer({ min: T0 - 10, max: T0 + 400 });
