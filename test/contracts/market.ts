/** Builders: a market deployed through the Ignition modules, its people, and leases in any state. */
import type { HDNodeWallet } from "ethers";
import hre from "hardhat";
import { predictAddresses } from "../../ignition/addresses.ts";
import { DemoMarket, Market as MarketModule } from "../../ignition/modules/Market.ts";
import { type MarketParameters, moduleParameters, readParameters } from "../../ignition/parameters.ts";
import type {
  DemoDollar,
  Forwarder,
  Governance,
  Liveness,
  NodeRegistry,
  PaymentEscrow,
  TaskRegistry,
} from "../../types/ethers-contracts/index.ts";
import {
  type AttestationInput,
  attestationTypes,
  type KeyWrapInput,
  type OrderInput,
  orderType,
  type ProfileInput,
  profileType,
  type QuoteInput,
  quoteTypes,
  registerTypes,
} from "./typed-data.ts";

export * from "./typed-data.ts";

export const { ethers, ignition, networkHelpers, provider } = await hre.network.create();

const MNEMONIC = "test test test test test test test test test test test junk";
export const DOLLAR = 1_000_000n;
export const HOUR = 3600n;
export const DAY = 86_400n;

/** The n-th of the chain's funded accounts, with its key at hand. */
export function account(index: number): HDNodeWallet {
  const path = `m/44'/60'/0'/0/${index}`;
  return ethers.HDNodeWallet.fromPhrase(MNEMONIC, undefined, path).connect(ethers.provider);
}

export const people = {
  deployer: account(0),
  governor: account(1),
  guardian: account(2),
  feeRecipient: account(3),
  consumer: account(4),
  owner: account(5),
  operator: account(6),
  stranger: account(7),
  otherOperator: account(8),
};

/** Whether the contracts are instrumented for coverage: that costs gas of its own. */
export const isInstrumented = process.argv.includes("--coverage");

export const digest = (text: string) => ethers.id(text);

export function profile(changes: Partial<ProfileInput> = {}): ProfileInput {
  return {
    encryptionKey: digest("encryption key"),
    gpus: 8,
    gpuModel: "NVIDIA-H100-80GB-HBM3",
    gpuMemoryMiB: 81_559,
    vCpus: 64,
    memoryMiB: 524_288n,
    storageMiB: 1_048_576n,
    isolation: 1,
    region: "eu-west",
    posted: { perGpuHour: 2n * DOLLAR, perVCpuHour: 10_000n },
    multiaddrs: ["/ip4/203.0.113.7/tcp/4001/ws"],
    ...changes,
  };
}

/** Statuses of a lease, in the order of `LeaseStatus`. */
export const statuses = [
  "None",
  "Open",
  "Assigned",
  "Running",
  "Stopping",
  "Completed",
  "Settled",
  "Cancelled",
  "Failed",
  "Expired",
  "Committed",
  "Revealed",
  "Disputed",
] as const;
export type Status = (typeof statuses)[number];

export interface LeaseRef {
  readonly taskId: string;
  readonly leaseId: string;
}

/** A task with all its leases; `leaseId` is the first. */
export interface TaskRef extends LeaseRef {
  readonly leaseIds: readonly string[];
}

export const now = async () => BigInt(await networkHelpers.time.latest());

/** The next transaction's block carries this timestamp. */
export const nextBlockAt = (timestamp: bigint) => networkHelpers.time.setNextBlockTimestamp(timestamp);

export class Market {
  readonly parameters: MarketParameters;
  readonly governance: Governance;
  readonly token: DemoDollar;
  readonly nodes: NodeRegistry;
  readonly tasks: TaskRegistry;
  readonly escrow: PaymentEscrow;
  readonly liveness: Liveness;
  readonly forwarder: Forwarder;
  private quoteNonce = 0n;

  constructor(
    parameters: MarketParameters,
    governance: Governance,
    token: DemoDollar,
    nodes: NodeRegistry,
    tasks: TaskRegistry,
    escrow: PaymentEscrow,
    liveness: Liveness,
    forwarder: Forwarder,
  ) {
    this.parameters = parameters;
    this.governance = governance;
    this.token = token;
    this.nodes = nodes;
    this.tasks = tasks;
    this.escrow = escrow;
    this.liveness = liveness;
    this.forwarder = forwarder;
  }

  get terms() {
    return this.parameters.task.initial.terms;
  }

  // ---- money

  async fund(who: HDNodeWallet, amount: bigint): Promise<void> {
    const escrow = await this.escrow.getAddress();
    await this.token.mint(who.address, amount);
    await this.token.connect(who).approve(escrow, amount);
    await this.escrow.connect(who).deposit(amount);
  }

  // ---- nodes

  async signRegistration(
    declared: ProfileInput,
    operator: HDNodeWallet,
    owner: string,
    deadline: bigint,
  ): Promise<string> {
    const domain = await domainOf("Dekuper NodeRegistry", await this.nodes.getAddress());
    const profileDigest = ethers.keccak256(
      ethers.AbiCoder.defaultAbiCoder().encode([profileType], [declared]),
    );
    return operator.signTypedData(domain, registerTypes, {
      owner,
      operator: operator.address,
      encryptionKey: declared.encryptionKey,
      profileDigest,
      deadline,
    });
  }

  async register(changes: Partial<ProfileInput> = {}, operator = people.operator, owner = people.owner) {
    const declared = profile(changes);
    const deadline = (await now()) + HOUR;
    const signature = await this.signRegistration(declared, operator, owner.address, deadline);
    return this.nodes.connect(owner).register(declared, publicKey(operator), deadline, signature);
  }

  /** A registered node with enough stake to take leases. */
  async activeNode(
    changes: Partial<ProfileInput> = {},
    operator = people.operator,
    owner = people.owner,
    stake = 1000n * DOLLAR,
  ) {
    await this.register(changes, operator, owner);
    await this.fund(owner, stake);
    await this.nodes.connect(owner).stake(operator.address, stake);
    return operator;
  }

  // ---- tasks

  async order(changes: Partial<OrderInput> = {}): Promise<OrderInput> {
    return {
      specDigest: digest("spec"),
      leases: 1,
      threshold: 0,
      maxAttempts: 1,
      isPrivate: false,
      gpus: 2,
      gpuModel: "",
      vCpus: 8,
      memoryMiB: 65_536n,
      storageMiB: 102_400n,
      isolation: 0,
      maxDuration: 3600,
      fundedSeconds: changes.maxDuration ?? 3600,
      ratePerHour: 10n * DOLLAR,
      startWindow: 900,
      failoverAfter: 120,
      openUntil: (await now()) + HOUR,
      verification: 0,
      ...changes,
    };
  }

  async createTask(changes: Partial<OrderInput> = {}, consumer = people.consumer): Promise<LeaseRef> {
    const order = await this.order(changes);
    const taskId = await this.nextTaskId(order, consumer.address);
    await this.tasks.connect(consumer).createTask(order);
    return { taskId, leaseId: await this.tasks.leaseIdOf(taskId, 0) };
  }

  /** A node's signed offer for one lease of an order. */
  async quote(
    order: OrderInput,
    memberIndex = 0,
    changes: Partial<QuoteInput> = {},
    operator = people.operator,
    signer = operator,
  ): Promise<{ quote: QuoteInput; signature: string }> {
    const quote = {
      node: operator.address,
      consumer: people.consumer.address,
      orderHash: orderHash(order),
      memberIndex,
      ratePerHour: order.ratePerHour,
      startWindow: order.startWindow,
      expiry: (await now()) + 240n,
      nonce: this.quoteNonce++,
      verification: order.verification,
      ...changes,
    };
    const domain = await domainOf("Dekuper TaskRegistry", await this.tasks.getAddress());
    return { quote, signature: await signer.signTypedData(domain, quoteTypes, quote) };
  }

  /** An offer for each lease of an order, by the first operator where there are fewer than leases. */
  async offers(
    order: OrderInput,
    operators: readonly HDNodeWallet[] = [people.operator],
    consumer = people.consumer,
    changes: Partial<QuoteInput> = {},
  ): Promise<{ quotes: QuoteInput[]; signatures: string[] }> {
    const all = [];
    for (let i = 0; i < order.leases; i++) {
      const by = operators[i] ?? (operators[0] as HDNodeWallet);
      all.push(await this.quote(order, i, { consumer: consumer.address, ...changes }, by));
    }
    return { quotes: all.map(({ quote }) => quote), signatures: all.map(({ signature }) => signature) };
  }

  /** An order awarded on the quoted path: one node for each lease, the first operator where there are fewer. */
  async award(
    changes: Partial<OrderInput> = {},
    operators: readonly HDNodeWallet[] = [people.operator],
    consumer = people.consumer,
    wraps: readonly KeyWrapInput[] = [],
  ): Promise<TaskRef> {
    const order = await this.order({ leases: operators.length, ...changes });
    const { quotes, signatures } = await this.offers(order, operators, consumer);
    const taskId = await this.nextTaskId(order, consumer.address);
    await this.tasks.connect(consumer).createAndAward(order, quotes, signatures, [...wraps]);
    const leaseIds = [];
    for (let i = 0; i < order.leases; i++) leaseIds.push(await this.tasks.leaseIdOf(taskId, i));
    return { taskId, leaseId: leaseIds[0] as string, leaseIds };
  }

  /** The task's key, wrapped for this node's encryption key. */
  async wrap(node: string, changes: Partial<KeyWrapInput> = {}): Promise<KeyWrapInput> {
    const keyVersion = await this.nodes.encryptionKeyVersionOf(node);
    return { node, keyVersion, wrap: digest(`the key for ${node}`), ...changes };
  }

  async nextTaskId(order: OrderInput, consumer: string): Promise<string> {
    return this.tasks.taskIdOf(consumer, await this.tasks.nonces(consumer), orderHash(order));
  }

  async attestation(ref: LeaseRef, changes: Partial<AttestationInput> = {}): Promise<AttestationInput> {
    const lease = await this.tasks.getLease(ref.leaseId);
    const timestamp = await now();
    const window = BigInt(this.terms.challengeWindow) + BigInt(this.terms.minRetention);
    return {
      taskId: ref.taskId,
      leaseId: ref.leaseId,
      attempt: Number(lease.attempt),
      specDigest: (await this.tasks.getTask(ref.taskId)).specDigest,
      outputDigest: digest("output"),
      logDigest: digest("log"),
      ciphertextRoot: digest("ciphertext"),
      ciphertextSize: 1_048_576n,
      imageDigest: digest("image"),
      outcome: 0,
      exitCode: 0,
      started: lease.startedAt,
      ended: lease.stoppedAt === 0n ? timestamp : lease.stoppedAt,
      cpuSeconds: 0n,
      gpuSeconds: 0n,
      retainUntil: timestamp + window + 30n * DAY,
      ...changes,
    };
  }

  async sign(attestation: AttestationInput, operator = people.operator): Promise<string> {
    const domain = await domainOf("Dekuper TaskRegistry", await this.tasks.getAddress());
    return operator.signTypedData(domain, attestationTypes, attestation);
  }

  /** EIP-712 struct hash of an attestation. */
  async structHashOf(attestation: AttestationInput): Promise<string> {
    return ethers.TypedDataEncoder.from(attestationTypes).hash(attestation);
  }

  /** Sends the operator's claim; anyone may carry it. */
  async complete(
    ref: LeaseRef,
    changes: Partial<AttestationInput> = {},
    carrier = people.stranger,
    operator = people.operator,
  ) {
    const attestation = await this.attestation(ref, changes);
    return this.tasks.connect(carrier).completeLease(attestation, await this.sign(attestation, operator));
  }

  /** A task whose lease has come to this state in the shortest way. The node and the consumer must exist. */
  async leaseIn(status: Exclude<Status, "None">, changes: Partial<OrderInput> = {}): Promise<LeaseRef> {
    const ref = await this.createTask(changes);
    const asNode = this.tasks.connect(people.operator);
    const asConsumer = this.tasks.connect(people.consumer);
    if (status === "Open") return ref;
    if (status === "Cancelled") {
      await asConsumer.cancelTask(ref.taskId);
      return ref;
    }
    await asNode.acceptTask(ref.taskId);
    if (status === "Assigned") return ref;
    if (status === "Failed") {
      await asNode.failLease(ref.leaseId, 1, digest("image missing"));
      return ref;
    }
    if (status === "Expired") {
      const { deadline } = await this.tasks.getLease(ref.leaseId);
      await nextBlockAt(deadline + BigInt(this.terms.outageGrace) + 1n);
      await this.tasks.expire(ref.leaseId);
      return ref;
    }
    await asNode.startLease(ref.leaseId, 1);
    if (status === "Running") return ref;
    if (status === "Stopping") {
      await asConsumer.cancelTask(ref.taskId);
      return ref;
    }
    await this.complete(ref);
    if (status === "Completed") return ref;
    await asConsumer.approve(ref.leaseId);
    return ref;
  }

  async statusOf(ref: LeaseRef): Promise<Status> {
    const { status } = await this.tasks.getLease(ref.leaseId);
    return statuses[Number(status)] as Status;
  }
}

/** A library's errors, which are not in the interface of the contract that it is linked to. */
export async function errorsOf(library: "Awards" | "Leases" | "Evidence", market: Market) {
  return ethers.getContractAt(library, await market.tasks.getAddress());
}

export async function domainOf(name: string, verifyingContract: string) {
  const { chainId } = await ethers.provider.getNetwork();
  return { name, version: "1", chainId, verifyingContract };
}

export function orderHash(order: OrderInput): string {
  return ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode([orderType], [order]));
}

/** The operator's public key as the registry wants it: 64 bytes, without the 0x04. */
export function publicKey(operator: HDNodeWallet): string {
  return `0x${operator.signingKey.publicKey.slice(4)}`;
}

export async function deployMarket(parameters: MarketParameters, token?: string): Promise<Market> {
  const nonce = await people.deployer.getNonce();
  const addresses = predictAddresses(people.deployer.address, nonce, token === undefined);
  const roles = {
    governor: people.governor.address,
    guardian: people.guardian.address,
    feeRecipient: people.feeRecipient.address,
  };
  const options = {
    parameters: moduleParameters(parameters, roles, addresses, token),
    defaultSender: people.deployer.address,
  };
  const deployed: Record<string, { getAddress(): Promise<string> }> =
    token === undefined
      ? await ignition.deploy(DemoMarket, options)
      : await ignition.deploy(MarketModule, options);
  const at = async (name: string) => (await deployed[name]?.getAddress()) ?? token ?? "";
  return new Market(
    parameters,
    await ethers.getContractAt("Governance", await at("governance")),
    await ethers.getContractAt("DemoDollar", await at("token")),
    await ethers.getContractAt("NodeRegistry", await at("nodeRegistry")),
    await ethers.getContractAt("TaskRegistry", await at("taskRegistry")),
    await ethers.getContractAt("PaymentEscrow", await at("paymentEscrow")),
    await ethers.getContractAt("Liveness", await at("liveness")),
    await ethers.getContractAt("Forwarder", await at("forwarder")),
  );
}

/** The local network's parameters: short windows, no outage grace, every ticket admitted at once. */
export async function localMarket(): Promise<Market> {
  return deployMarket(await readParameters("local"));
}

export async function productionMarket(): Promise<Market> {
  return deployMarket(await readParameters("production"));
}

async function settledIn(market: Market): Promise<Market> {
  await market.activeNode();
  await market.fund(people.consumer, 10_000n * DOLLAR);
  const ticketAge = BigInt(market.terms.ticketAge);
  await networkHelpers.time.increase(ticketAge + 1n);
  return market;
}

/** The local market with a staked node and a consumer who has 10,000 dollars free. */
export async function busyLocalMarket(): Promise<Market> {
  return settledIn(await localMarket());
}

/** Production's market, likewise, but with every ticket admitted at once. */
export async function busyProductionMarket(): Promise<Market> {
  const parameters = await readParameters("production");
  parameters.task.initial.terms.widenTime = 0;
  return settledIn(await deployMarket(parameters));
}

/** Loads a fixture, and lets the chain's clock catch up with the machine's: a fixture's last block may be minutes old. */
export async function loadFixture<T>(fixture: () => Promise<T>): Promise<T> {
  const loaded = await networkHelpers.loadFixture(fixture);
  await networkHelpers.mine();
  return loaded;
}
