import type { Deployment } from "@dekuper/protocol";
import type { Hex } from "viem";
import type { Clock } from "../chain/clock.ts";
import type { ChainReader } from "../chain/reader.ts";
import { type OpenClaim, readClaim, readSeats, type Seats } from "../chain/verdict-facts.ts";
import type { DeliveryClaim, FactStore } from "../journal/facts.ts";

/** Claims that are looked after at a time: each has cost its consumer a bond. */
const MOST_CLAIMS = 256;
/** How long what was read is believed, milliseconds: attesters ask for many chunks in a row. */
const CLAIM_MS = 2_000;
const SEATS_MS = 5_000;

interface Kept<T> {
  readonly until: number;
  readonly value: Promise<T>;
}

/** Delivery claims that wait for their answers, and the committee, as the chain has them. */
export class OpenClaims {
  private readonly deployment: Deployment;
  private readonly reader: ChainReader;
  private readonly store: Pick<FactStore, "openClaims">;
  private readonly clock: Clock;
  private readonly claims = new Map<string, Kept<OpenClaim | undefined>>();
  private committee: Kept<Seats> | undefined;

  constructor(deps: {
    deployment: Deployment;
    reader: ChainReader;
    store: Pick<FactStore, "openClaims">;
    clock: Clock;
  }) {
    this.deployment = deps.deployment;
    this.reader = deps.reader;
    this.store = deps.store;
    this.clock = deps.clock;
  }

  /** Chain time, Unix seconds. */
  get now(): number {
    return this.reader.lastReadable?.head.timestamp ?? 0;
  }

  /** The newest block from which things are made. */
  get confirmed(): number {
    return this.reader.lastReadable?.confirmed ?? 0;
  }

  all(): readonly DeliveryClaim[] {
    return this.store.openClaims(this.now, MOST_CLAIMS);
  }

  /** What is claimed of a lease attempt now; undefined: nothing, or it is answered. */
  async of(leaseId: Hex, attempt: number): Promise<OpenClaim | undefined> {
    const claim = this.all().findLast((one) => one.leaseId === leaseId && one.attempt === attempt);
    return claim && this.read(claim);
  }

  read(claim: DeliveryClaim): Promise<OpenClaim | undefined> {
    const key = `${claim.leaseId}:${claim.block}`;
    const known = this.claims.get(key);
    if (known !== undefined && known.until > this.clock.now()) return known.value;
    const head = this.reader.lastReadable?.head.number ?? 0;
    const value = this.reader.read((client) => readClaim(client, this.deployment, claim, head));
    value.catch(() => this.claims.delete(key));
    if (this.claims.size > MOST_CLAIMS) this.claims.clear();
    this.claims.set(key, { until: this.clock.now() + CLAIM_MS, value });
    return value;
  }

  seats(): Promise<Seats> {
    if (this.committee !== undefined && this.committee.until > this.clock.now()) return this.committee.value;
    const value = this.reader.read((client) => readSeats(client, this.deployment));
    value.catch(() => {
      this.committee = undefined;
    });
    this.committee = { until: this.clock.now() + SEATS_MS, value };
    return value;
  }
}
