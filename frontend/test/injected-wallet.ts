import type { Page } from "playwright-core";

/** Runs in the page before it loads: a wallet on chain 1 that connects and switches, and whose owner declines to sign. */
export const injectedWallet = `(() => {
  let chainId = "0x1";
  const listeners = new Map();
  const emit = (event, value) => (listeners.get(event) ?? []).forEach((listener) => listener(value));
  const moveTo = (id) => { chainId = id; emit("chainChanged", id); };
  window.moveWalletTo = moveTo;
  window.ethereum = {
    on: (event, listener) => listeners.set(event, [...(listeners.get(event) ?? []), listener]),
    removeListener: (event, listener) =>
      listeners.set(event, (listeners.get(event) ?? []).filter((each) => each !== listener)),
    request: async ({ method, params }) => {
      if (method === "eth_chainId") return chainId;
      if (method === "eth_accounts" || method === "eth_requestAccounts")
        return ["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"];
      if (method === "wallet_requestPermissions" || method === "wallet_revokePermissions") return [];
      if (method === "wallet_switchEthereumChain") { moveTo(params[0].chainId); return null; }
      if (method === "eth_sendTransaction" || method === "eth_signTypedData_v4")
        throw Object.assign(new Error("User rejected the request."), { code: 4001 });
      throw Object.assign(new Error(method + " is not served"), { code: 4200 });
    },
  };
})();`;

/** Connects that wallet by the page's own dialogue, on the page that is open. */
export async function connectInjectedWallet(page: Page): Promise<void> {
  await page
    .getByRole("banner")
    .getByRole("button", { name: /^connect/i })
    .click();
  await page.getByRole("dialog").getByRole("button", { name: "Browser wallet" }).click();
  await page.getByRole("button", { name: /^wallet 0x7099/i }).waitFor();
}
