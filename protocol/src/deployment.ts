import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), "expected an address")
  .transform((text): Address => getAddress(text));
const hex32 = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/, "expected 0x and 64 hex digits") as unknown as z.ZodType<Hex>;

/** One deployment of the market: everything a client or an oracle needs to find it. */
export const deploymentSchema = z.object({
  chainId: z.int().positive(),
  nodeRegistry: address,
  taskRegistry: address,
  paymentEscrow: address,
  liveness: address,
  /** Carries consumers' signed calls (ERC-2771). */
  forwarder: address,
  token: address,
  accessManager: address.optional(),
  /** The block that deployed the TaskRegistry, and its hash: another hash there is another chain. */
  deploymentBlock: z.int().nonnegative(),
  deploymentBlockHash: hex32,
});
export type Deployment = z.infer<typeof deploymentSchema>;

/** A network file (`--network`): a deployment, how to reach it, and which image names it knows. Written by `dekuper up`. */
export const networkSchema = z.object({
  name: z.string().min(1).max(63),
  /** True only for a network that `dekuper up` made: burner accounts and `localhost/` images are allowed there. */
  local: z.boolean(),
  rpcUrls: z.array(z.url()).min(1),
  deployment: deploymentSchema,
  /** Short names to references by digest, such as `torch`. */
  images: z.record(z.string(), z.string()),
});
export type Network = z.infer<typeof networkSchema>;
