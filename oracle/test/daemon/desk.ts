import type { TestContext } from "node:test";
import { DekuperError, type Deployment } from "@dekuper/protocol";
import type { PrivateKeyAccount } from "viem/accounts";
import type { ImageAnswer } from "../../src/daemon/image-checker.ts";
import { QuoteDesk } from "../../src/daemon/quote-desk.ts";
import { AttemptJournal } from "../../src/journal/attempts.ts";
import { QuoteJournal } from "../../src/journal/quotes.ts";
import { openDatabase } from "../journal/crash.ts";
import { anAccepter, T0 } from "../plan/builders.ts";

/** A quote desk with journals of its own, on a chain and a node that a test may change. */
export function aQuoteDesk(t: TestContext, of: { account: PrivateKeyAccount; deployment: Deployment }) {
  const { account, deployment } = of;
  const { db } = openDatabase(t);
  const attempts = new AttemptJournal(db, () => 0);
  const journal = new QuoteJournal(db, () => 1_800_000_000_000);
  const world = {
    nowMs: 0,
    head: { timestamp: T0 },
    node: anAccepter(),
    image: { kind: "fit" } as ImageAnswer,
    looks: 0,
    imagesAsked: 0,
    unreadable: false,
    /** The node's quotes with lower nonces are cancelled. */
    voidBelow: 0n,
    /** And this one. */
    voided: undefined as bigint | undefined,
    onSign: (): unknown => undefined,
  };
  const chainClient = {
    readContract: async ({
      functionName,
      args,
    }: {
      functionName: string;
      args?: readonly [string, bigint];
    }) =>
      functionName === "isQuoteVoid"
        ? (args?.[1] ?? 0n) < world.voidBelow || args?.[1] === world.voided
        : { lockBps: 2_000, minLock: 10_000_000n },
  };
  const desk = new QuoteDesk({
    deployment,
    account: {
      address: account.address,
      signTypedData: async (typed) => {
        world.onSign();
        return account.signTypedData(typed);
      },
    },
    reader: {
      lastReadable: world,
      read: async (work: (client: unknown) => unknown) => work(chainClient),
    } as never,
    accepter: {
      lookAtNode: async () => {
        world.looks += 1;
        if (world.unreadable) throw new DekuperError("RPC_UNAVAILABLE", "No RPC answers.");
        return { unlockedStake: 10n ** 12n, facts: () => world.node };
      },
    },
    state: () => world.node,
    attempts,
    journal,
    images: {
      check: async () => {
        world.imagesAsked += 1;
        return world.image;
      },
    },
    clock: { now: () => world.nowMs },
    log: { info: () => undefined },
    settings: { quoteLife: 120, allowsQuorum: false },
    signal: new AbortController().signal,
  });
  return { world, desk, journal, attempts };
}
