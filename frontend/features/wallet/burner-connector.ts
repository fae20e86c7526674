import { createWalletClient, type Hex, http, numberToHex, publicActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { ChainNotConfiguredError, createConnector } from "wagmi";

export const BURNER_ID = "dekuper-burner";
const CONNECTED = "burner.connected";

/** A throw-away account for a local network: signs in the page without asking. Never offered elsewhere (`loadNetwork`). */
export function burner(key: Hex) {
  return createConnector<unknown, Record<string, unknown>, { [CONNECTED]: boolean }>((config) => {
    const account = privateKeyToAccount(key);
    const chain = config.chains[0];
    const client = () =>
      createWalletClient({ account, chain, transport: config.transports?.[chain.id] ?? http() }).extend(
        publicActions,
      );
    return {
      id: BURNER_ID,
      name: "Local test account",
      type: "burner",
      async connect() {
        await config.storage?.setItem(CONNECTED, true);
        // `withCapabilities` makes the type conditional; the burner has none.
        return { accounts: [account.address], chainId: chain.id } as never;
      },
      async disconnect() {
        await config.storage?.removeItem(CONNECTED);
      },
      async getAccounts() {
        return [account.address];
      },
      async getChainId() {
        return chain.id;
      },
      async getClient() {
        return client();
      },
      async getProvider() {
        return {
          request: ({ method, params }: { method: string; params?: unknown }) =>
            method === "eth_accounts" || method === "eth_requestAccounts"
              ? Promise.resolve([account.address])
              : method === "eth_chainId"
                ? Promise.resolve(numberToHex(chain.id))
                : client().request({ method, params } as never),
        };
      },
      async isAuthorized() {
        return (await config.storage?.getItem(CONNECTED)) === true;
      },
      async switchChain({ chainId }) {
        if (chainId !== chain.id) throw new ChainNotConfiguredError();
        return chain;
      },
      onAccountsChanged() {
        // One account, for ever.
      },
      onChainChanged() {
        // One chain, for ever.
      },
      onDisconnect() {
        config.emitter.emit("disconnect");
      },
    };
  });
}
