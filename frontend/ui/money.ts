import { formatUnits } from "viem";

export interface Token {
  readonly symbol: string;
  readonly decimals: number;
}

/** Base units -> `1,234.50 USDC`: two digits after the point, more only where the amount has them. Never rounds. */
export function formatMoney(amount: bigint, token: Token): string {
  return `${formatNumber(amount, token)} ${token.symbol}`;
}

/** As `formatMoney`, without the symbol. */
export function formatNumber(amount: bigint, token: Token): string {
  const [whole = "0", fraction = ""] = formatUnits(amount, token.decimals).split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return `${grouped}.${fraction.padEnd(2, "0")}`;
}
