export { awardTask, MAX_STANDBY_NODES, planQuotes, type QuotedPlan, readersOf } from "./award.ts";
export { type CancelCost, cancelCost } from "./cancel-cost.ts";
export { type AccountInfo, readToken, type TokenInfo } from "./chain/account.ts";
export type { SeatBid } from "./chain/bid-calls.ts";
export { checkNetwork } from "./chain/check.ts";
export { checkEquivocation, type Equivocation, type ProvenEquivocation } from "./chain/equivocation.ts";
export { chainError, decodeRevert, marketErrorsAbi, rpcFailure } from "./chain/errors.ts";
export { blockAtTime, getLogsInRanges } from "./chain/logs.ts";
export { profileDigest } from "./chain/node-calls.ts";
export {
  type Capacity,
  type MarketNode,
  type NodeProfile,
  profileArguments,
  type UnitRates,
} from "./chain/nodes.ts";
export { quoteNonceAfter } from "./chain/quote-calls.ts";
export type { SentTransaction } from "./chain/send.ts";
export { type CheckedStatement, readStatement, type StatementSource } from "./chain/statement.ts";
export { readRunway } from "./chain/statement-runway.ts";
export type { CreatedTask, KeyWrap } from "./chain/task-calls.ts";
export type { BallotFacts, GangFacts, LeaseFacts, TaskFacts, TaskSummary, Terms } from "./chain/tasks.ts";
export type {
  AcceptedAttestation,
  AttemptFacts,
  LeaseDetail,
  Pay,
  TaskDetail,
  TaskMoney,
  TimelineEvent,
} from "./chain/timeline.ts";
export type { ConsumerPeer, PeerOptions } from "./consumer-peer.ts";
export { declineWords } from "./decline-words.ts";
export { type CiphertextStore, downloadCiphertext, memoryCiphertext } from "./delivery/ciphertext.ts";
export { decryptDelivery } from "./delivery/decrypt.ts";
export {
  attestationTypedData,
  type DeliveryFacts,
  type FetchedDelivery,
  fetchDelivery,
  fetchSpec,
  findDelivery,
  type ReceiptState,
} from "./delivery/fetch.ts";
export { fetchReplicaKey, hasWon, withheldReason } from "./delivery/replica-key.ts";
export { readTar, type TarEntry } from "./delivery/tar.ts";
export {
  type ByteSink,
  type DeliverySink,
  memorySink,
  type VerifiedDelivery,
  verifyAttestation,
  verifyDelivery,
} from "./delivery/verify.ts";
export { marketDirectory } from "./directory.ts";
export { failureWords } from "./failure-words.ts";
export { type GangClock, ranWithin, runsSince } from "./gang-clock.ts";
export {
  type HandedOver,
  type HandOverOrder,
  type HandOverPlan,
  handOverHindrance,
  handOverKey,
  planHandOver,
} from "./hand-over-key.ts";
export { type KeyHolder, keyGrantsIn, keyHolders, readKeyGrants, readKeyHolders } from "./key-holders.ts";
export {
  deriveOutputKey,
  type OutputKey,
  type RecipientMemory,
  readAgeKey,
  signerOf,
  signReadToken,
  signReceipt,
  type TypedDataSigner,
} from "./keys.ts";
export {
  isLive,
  isOver,
  type LeaseDeadline,
  type LeaseState,
  leaseDeadlineOf,
  leaseStateOf,
  leaseStates,
  ranSeconds,
  taskStateOf,
} from "./lease-state.ts";
export { type StateWords, stateWords } from "./lease-words.ts";
export { followTaskLogs, type LogNotice } from "./logs.ts";
export { createMarket, type Market, type MarketOptions } from "./market.ts";
export {
  chainOf,
  type MarketWallet,
  parseNetwork,
  publicClientOf,
  transportOf,
  walletClientOf,
} from "./network-client.ts";
export type { ClientPeer } from "./peer/index.ts";
export {
  type PlanFacts,
  type PlannedNode,
  type PlanOrder,
  planOrderOf,
  planTask,
  quoteCap,
  requirePlan,
  type TaskPlan,
  type Unfit,
  type UnfitReason,
} from "./plan.ts";
export { listenForPresence, watchPresence } from "./presence.ts";
export { type NodeOffer, type Placement, placeLeases } from "./quote-choice.ts";
export {
  askOffers,
  type Decline,
  type DeclineKind,
  type Offers,
  type QuoteQuestion,
} from "./quote-offers.ts";
export { type AwardableQuotes, collectQuotes } from "./quotes.ts";
export { askRelay, openRelay, type Relay, relayAt } from "./relay/relay-client.ts";
export { preparePrivateTask, type SealedBlob, sealInputs, sealTask } from "./sealed-task.ts";
export { type SeedStep, sourceOf } from "./seed.ts";
export { type Balances, type Purse, purses, totalOf } from "./statement/balances.ts";
export { checkStatement, type StatementCheck } from "./statement/check.ts";
export { csvCell, statementCsv } from "./statement/csv.ts";
export type { Fault, StatementLine } from "./statement/ledger.ts";
export type { Moved, Movement, PaidMovement } from "./statement/movement.ts";
export { type BurningLease, type Runway, runwayOf } from "./statement/runway.ts";
export { type Moment, makeStatement, type Period, type Statement } from "./statement/statement.ts";
export { type FormatAmount, type LineWords, wordsOf } from "./statement/words.ts";
export {
  MAX_SEEDED_NODES,
  requireOneLease,
  type SubmitStep,
  type SubmittedTask,
  submitTask,
} from "./submit.ts";
export {
  DEFAULT_ATTEMPTS,
  imageNameOf,
  imageOf,
  type OrderPath,
  orderOf,
  type PreparedTask,
  prepareTask,
  requirePublic,
  type TaskInput,
} from "./task.ts";
export { deriveTaskKey, findTaskKey, throwawayTaskKey, wrapTaskKey } from "./task-key.ts";
export {
  planTopUp,
  type TopUp,
  type TopUpFacts,
  type TopUpHindrance,
  type TopUpNotice,
  type TopUpRules,
  type TopUpStep,
} from "./top-up/plan-top-up.ts";
export { type TopUpEvent, type TopUpMemory, watchTopUps } from "./top-up/watch-top-ups.ts";
