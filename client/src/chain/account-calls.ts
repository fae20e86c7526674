import { DekuperError, demoDollarAbi, formatAmount, paymentEscrowAbi } from "@dekuper/protocol";
import { type Address, parseSignature } from "viem";
import { readAccount, type TokenInfo } from "./account.ts";
import { chainError } from "./errors.ts";
import { plain, requireWallet, type Sender, type SentTransaction, send } from "./send.ts";

/** Seconds for which a permit may be used. */
const PERMIT_LIFE = 1800n;

/** Moves tokens from the wallet into escrow: by permit where the token has it (one transaction), else approve and deposit. */
export async function deposit(
  sender: Sender,
  token: TokenInfo,
  amount: bigint,
  options: { permit?: boolean | undefined } = {},
): Promise<SentTransaction> {
  const wallet = requireWallet(sender, "deposit");
  const owner = wallet.account.address;
  const { network, client } = sender;
  const account = await readAccount(client, network, owner);
  if (account.walletBalance < amount) {
    throw new DekuperError(
      "INSUFFICIENT_FUNDS",
      `${owner} holds ${formatAmount(account.walletBalance, token)}; ${formatAmount(amount, token)} are to be deposited.`,
      {
        details: { account: owner, has: account.walletBalance, needs: amount },
        hint: `Send ${token.symbol} to ${owner}, or deposit less.`,
      },
    );
  }
  const escrow = { address: network.deployment.paymentEscrow, abi: paymentEscrowAbi } as const;
  if (account.allowance < amount && options.permit !== false) {
    const permit = await signPermit(sender, amount);
    if (permit !== undefined) {
      const { deadline, v, r, s } = permit;
      const args = [amount, deadline, v, r, s] as const;
      return plain(await send(sender, "deposit", { ...escrow, functionName: "depositWithPermit", args }));
    }
  }
  if (account.allowance < amount) {
    await send(sender, "approve the deposit", {
      address: network.deployment.token,
      abi: demoDollarAbi,
      functionName: "approve",
      args: [escrow.address, amount],
    });
  }
  return plain(await send(sender, "deposit", { ...escrow, functionName: "deposit", args: [amount] }));
}

export async function withdraw(sender: Sender, amount: bigint, to?: Address): Promise<SentTransaction> {
  const wallet = requireWallet(sender, "withdraw");
  const args = [to ?? wallet.account.address, amount] as const;
  return plain(await send(sender, "withdraw", { ...escrowOf(sender), functionName: "withdraw", args }));
}

export async function withdrawEarnings(
  sender: Sender,
  amount: bigint,
  to?: Address,
): Promise<SentTransaction> {
  const wallet = requireWallet(sender, "withdraw earnings");
  const args = [to ?? wallet.account.address, amount] as const;
  return plain(
    await send(sender, "withdraw earnings", { ...escrowOf(sender), functionName: "withdrawEarnings", args }),
  );
}

function escrowOf(sender: Sender) {
  return { address: sender.network.deployment.paymentEscrow, abi: paymentEscrowAbi } as const;
}

/** An ERC-2612 permit, or undefined for a token without one. */
async function signPermit(sender: Sender, amount: bigint) {
  const wallet = requireWallet(sender, "deposit");
  const owner = wallet.account.address;
  const contract = { address: sender.network.deployment.token, abi: demoDollarAbi } as const;
  const facts = await Promise.all([
    sender.client.readContract({ ...contract, functionName: "eip712Domain" }),
    sender.client.readContract({ ...contract, functionName: "nonces", args: [owner] }),
    sender.client.getBlock(),
  ]).catch(() => undefined);
  if (facts === undefined) return undefined;
  const [[, name, version], nonce, head] = facts;
  const deadline = head.timestamp + PERMIT_LIFE;
  try {
    const signature = await wallet.signTypedData({
      domain: {
        name,
        version,
        chainId: sender.network.deployment.chainId,
        verifyingContract: contract.address,
      },
      types: {
        Permit: [
          { name: "owner", type: "address" },
          { name: "spender", type: "address" },
          { name: "value", type: "uint256" },
          { name: "nonce", type: "uint256" },
          { name: "deadline", type: "uint256" },
        ],
      },
      primaryType: "Permit",
      message: { owner, spender: sender.network.deployment.paymentEscrow, value: amount, nonce, deadline },
    });
    const { r, s, yParity } = parseSignature(signature);
    return { deadline, r, s, v: yParity + 27 };
  } catch (cause) {
    throw chainError(cause, "sign the deposit's permit", sender.network);
  }
}
