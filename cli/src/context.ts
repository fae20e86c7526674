import type { ConsumerPeer, Market, MarketWallet, OutputKey, Relay, TypedDataSigner } from "@dekuper/client";
import { DekuperError, formatAmount, type Network, parseAmount } from "@dekuper/protocol";
import type { Address } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import { findAccount, type KeyOptions } from "./accounts.ts";
import { invocationOf } from "./invocation.ts";
import { type FoundNetwork, findNetwork } from "./network-file.ts";
import { createProgress, type Progress } from "./output/progress.ts";
import { confirm } from "./output/prompt.ts";
import { type Streams, Terminal } from "./output/terminal.ts";
import { ConsumerFolder } from "./state-folder.ts";

/** Options that every command takes. */
export interface GlobalOptions extends KeyOptions {
  readonly network?: string | undefined;
  readonly ageKey?: string | undefined;
  readonly relay?: string | undefined;
  readonly maxRelayFee?: string | undefined;
  readonly json?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

/** Whom a command acts for on the local network when nothing is said. */
export type Role = "consumer" | "provider1" | "operator1" | "deployer";

/** What a command works with; each part is made when it is first asked for, and closed at the end. */
export class CommandContext {
  readonly options: GlobalOptions;
  readonly out: Terminal;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly env: NodeJS.ProcessEnv;
  private found: Promise<FoundNetwork> | undefined;
  private readonly closers: (() => Promise<void>)[] = [];

  constructor(options: GlobalOptions, streams: Streams, env: NodeJS.ProcessEnv, signal: AbortSignal) {
    this.options = options;
    this.out = new Terminal(streams, options.json === true, invocationOf(env, options));
    this.progress = createProgress(this.out);
    this.env = env;
    this.signal = signal;
  }

  async network(): Promise<Network> {
    return (await this.findNetwork()).network;
  }

  private findNetwork(): Promise<FoundNetwork> {
    this.found ??= findNetwork(this.options.network, this.env);
    return this.found;
  }

  /** The account of the command, or undefined where no key is given. */
  async account(role: Role): Promise<PrivateKeyAccount | undefined> {
    const { options, env, out, signal } = this;
    return findAccount({ options, env, ...(await this.findNetwork()), fallback: role, out, signal });
  }

  /** What a suggested command must say to act for the same account, where another command would act for another. */
  asRole(role: Role): string {
    const { options, env } = this;
    const isNamed = options.keyFile ?? options.keystore ?? options.as;
    if (isNamed !== undefined || env.DEKUPER_PRIVATE_KEY || env.DEKUPER_KEYSTORE) return "";
    return ` --as ${role}`;
  }

  async requireAccount(role: Role): Promise<PrivateKeyAccount> {
    const account = await this.account(role);
    if (account !== undefined) return account;
    throw new DekuperError("USAGE", "No key is given for this command.", {
      hint: "Give --key-file FILE, or set DEKUPER_KEYSTORE and DEKUPER_PASSWORD_FILE.",
    });
  }

  /** The checked market, with the command's wallet where there is one. */
  async market(role: Role | undefined): Promise<Market> {
    const { createMarket, walletClientOf } = await import("@dekuper/client");
    const network = await this.network();
    const account = role === undefined ? undefined : await this.account(role);
    const walletClient: MarketWallet | undefined =
      account === undefined ? undefined : walletClientOf(network, account);
    const market = createMarket({ network, walletClient });
    await market.check();
    if (walletClient === undefined || this.relayUrl === undefined) return market;
    return createMarket({ network, walletClient, relay: await this.openRelay(market, this.relayUrl) });
  }

  /** Who carries this command's transactions; undefined: its account sends them itself. */
  get relayUrl(): string | undefined {
    return this.options.relay ?? (this.env.DEKUPER_RELAY || undefined);
  }

  private async openRelay(market: Market, url: string): Promise<Relay> {
    const { openRelay } = await import("@dekuper/client");
    if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
      throw new DekuperError("USAGE", `--relay: got ${JSON.stringify(url)}, expected an http or https URL.`);
    }
    const token = await market.token();
    const maxFee = parseAmount(this.options.maxRelayFee ?? "1", token);
    const relay = await openRelay({ url, network: market.network, token, maxFee });
    this.out.note(
      `${new URL(url).host} carries your transactions, for ${formatAmount(relay.terms.fee, token)} of your free balance each.`,
    );
    return relay;
  }

  async requireWallet(
    role: Role,
  ): Promise<Market & { readonly wallet: MarketWallet; readonly address: Address }> {
    const account = await this.requireAccount(role);
    const market = await this.market(role);
    const { wallet } = market;
    if (wallet === undefined) throw new DekuperError("INTERNAL", "The market was opened without its wallet.");
    return { ...market, wallet, address: account.address };
  }

  /** A started libp2p peer, stopped at the end of the command. */
  async peer(market: Market): Promise<ConsumerPeer> {
    const { startNodePeer } = await import("@dekuper/client/node");
    const peer = await startNodePeer(market);
    this.closers.push(() => peer.stop());
    return peer;
  }

  async folder(): Promise<ConsumerFolder> {
    const { network, stateDir } = await this.findNetwork();
    return new ConsumerFolder(network, stateDir);
  }

  /** The key of the outputs: `--age-key FILE`, else derived from the wallet's signature. */
  async outputKey(signer: TypedDataSigner): Promise<OutputKey> {
    const { deriveOutputKey, readAgeKey } = await import("@dekuper/client");
    const network = await this.network();
    if (this.options.ageKey === undefined) {
      return deriveOutputKey(signer, network.deployment, (await this.folder()).recipients);
    }
    const { readFile } = await import("node:fs/promises");
    const text = await readFile(this.options.ageKey, "utf8").catch((cause) => {
      throw new DekuperError("KEYSTORE_INVALID", `The age key file ${this.options.ageKey} cannot be read.`, {
        cause,
      });
    });
    return readAgeKey(text);
  }

  /** Asks unless --yes. */
  async confirm(question: string): Promise<void> {
    this.progress.clear();
    await confirm(this.out, question, this.options.yes === true, this.signal);
  }

  async close(): Promise<void> {
    this.progress.clear();
    await Promise.allSettled(this.closers.map((close) => close()));
  }
}
