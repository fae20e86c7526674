import { formatMiB, isolationClasses } from "@dekuper/protocol";
import type { Decline, DeclineKind } from "./quote-offers.ts";
import type { FormatAmount } from "./statement/words.ts";

type Values = Decline["values"];
type Words = (values: Values, amount: FormatAmount) => string | undefined;

/** Why a node does not quote: one plain sentence without its full stop, `it` being the node. What it does not know it says as the node did. */
export function declineWords(
  { kind, reason, values }: Pick<Decline, "kind" | "reason" | "values">,
  amount: FormatAmount,
): string {
  return KINDS[kind](reason, values, amount);
}

const dear: Words = ({ asks, cap }, amount) =>
  isCount(asks) && isCount(cap)
    ? `it asks ${amount(BigInt(asks))} an hour, and at most ${amount(BigInt(cap))} is offered`
    : "it asks more than is offered";

const KINDS: Readonly<Record<DeclineKind, (reason: string, values: Values, amount: FormatAmount) => string>> =
  {
    "not-active": (status) =>
      status === "Draining" ? "it finishes what it has and takes nothing new" : "it has left the market",
    offline: () => "it cannot be reached",
    "timed-out": () => "it did not answer in time",
    "rate-above-cap": (_, values, amount) => dear(values, amount) ?? "",
    "invalid-answer": () => "its answer cannot be read",
    "invalid-quote": (problem) => `what it signed is not what was asked for (${problem})`,
    refused: (reason, values, amount) => refusalWords(reason, values, amount),
  };

function refusalWords(reason: string, values: Values, amount: FormatAmount): string {
  const words = Object.hasOwn(REFUSALS, reason) ? REFUSALS[reason] : undefined;
  const said = typeof words === "function" ? words(values, amount) : words;
  if (said !== undefined) return said;
  if (/\s/.test(reason)) return reason.replace(/\.$/, ""); // a sentence of the node's
  const decided = Object.entries(values).map(([name, value]) => `${name} ${value}`);
  return [`it gives as its reason: ${reason}`, decided.join(", ")].filter(Boolean).join(", ");
}

/** A planner's reason without the values that decided. The chain holds only its beginning, where it is long. */
export function reasonWords(beginning: string): string | undefined {
  const name = Object.keys(REFUSALS).find((reason) => reason.startsWith(beginning));
  const words = name === undefined ? undefined : REFUSALS[name];
  return typeof words === "function" ? words({}, String) : words;
}

const UNITS: Readonly<Record<string, (count: bigint) => string>> = {
  gpus: (count) => `${count} ${count === 1n ? "GPU" : "GPUs"}`,
  vCpus: (count) => `${count} ${count === 1n ? "vCPU" : "vCPUs"}`,
  memoryMiB: (count) => `${formatMiB(count)} of memory`,
};

/** The reasons of the oracle's planner (`oracle/src/plan/quote.ts` and `fit.ts`) and of its image check. */
const REFUSALS: Readonly<Record<string, string | Words>> = {
  "chain-unreadable": "it cannot read the chain at the moment",
  stopping: "it is being shut down",
  "read-only": "it only watches until its operator lets it act",
  "signing-stopped": "it signs nothing: its key may be in use on a second machine",
  "leader-lock": "another copy of it may be at work in its cluster",
  "disk-full": "its disk is full",
  "cluster-unreachable": "it cannot reach its own cluster",
  "not-registered": "it is not registered",
  "not-active": "it takes nothing new",
  closed: "the order has closed",
  "gas-reserve": "it holds too little gas to see another task through",
  "too-many-quotes": "it has promised to others as much as it may; ask again in some minutes",
  "quotes-cancelled": "its operator has cancelled its quotes, also those to come",
  "verification-unsupported": "it does not take tasks that several nodes check",
  "image-host-not-allowed": "it runs no images from this registry",
  "image-invalid": "the image's name is not valid",
  "image-not-found": "the registry does not have this image",
  "image-not-for-linux-amd64": "the image is not made for its machines (linux/amd64)",
  "image-too-large": "the image is larger than it allows",
  "image-not-on-cluster": "it does not have this image",
  "image-not-checked": "it could not look at the image in time",
  "inputs-too-large": "the inputs are larger than it allows",
  "lease-limit": "it runs as many tasks as it may",
  "isolation-too-weak": ({ needs, has }) =>
    isIsolation(needs) && isIsolation(has)
      ? `it keeps tasks apart by ${has}, and the task wants ${needs}`
      : "it does not keep tasks apart as well as the task wants",
  "other-gpu-model": ({ needs, has }) =>
    needs === undefined
      ? "it has another GPU model"
      : `it has ${has || "no GPU"}, and the task wants ${needs}`,
  "storage-too-small": ({ needs, has }) =>
    isCount(needs) && isCount(has)
      ? `it has ${formatMiB(BigInt(has))} of storage, and the task wants ${formatMiB(BigInt(needs))}`
      : "it has too little storage",
  "stake-too-low": ({ needs, free }, amount) =>
    isCount(needs) && isCount(free)
      ? `it would have to lock ${amount(BigInt(needs))} of its stake, and ${amount(BigInt(free))} is not locked`
      : "its stake is too low",
  "no-free-capacity": ({ what, needs, free }) => {
    const unit = what !== undefined && Object.hasOwn(UNITS, what) ? UNITS[what] : undefined;
    return unit !== undefined && isCount(needs) && isCount(free)
      ? `it has ${unit(BigInt(free))} free, and the task wants ${unit(BigInt(needs))}`
      : "it has too little free";
  },
};

/** Nodes write what they like. */
const isCount = (text: string | undefined): text is string => text !== undefined && /^\d{1,40}$/.test(text);
const isIsolation = (text: string | undefined): text is string =>
  (isolationClasses as readonly (string | undefined)[]).includes(text);
