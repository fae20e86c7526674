import { isolationClasses, MAX_QUOTE_LIFE_SECONDS, networkSchema } from "@dekuper/protocol";
import { z } from "zod";
import { Secret } from "./secret.ts";

const image = z.string().regex(/^\S+@sha256:[0-9a-f]{64}$/, "expected host/name@sha256:<64 hex>");
const seconds = z.int().min(1);
const wei = z.string().regex(/^\d+$/, "expected a text of digits");

/**
 * Every setting of the oracle: key, type, default, one line of description. Validation, `--help` and the table in
 * docs/oracle-config.md come from it. `secret: true` marks what is never shown.
 */
export const oracleConfigSchema = z.strictObject({
  network: z.union([z.string().min(1), networkSchema]).describe("Path of the network file, or its content."),
  rpcUrls: z
    .array(z.url("expected a URL"))
    .optional()
    .describe("RPCs to use instead of the network file's; two or more are compared."),
  stateDir: z.string().min(1).describe("Folder of the journal, the blobs and the logs. Keep it."),
  keystore: z.string().min(1).describe("The operator's encrypted key (Web3 keystore, version 3)."),
  passwordFile: z.string().optional().describe("File with the keystore's password."),
  password: z
    .string()
    .transform((text) => new Secret(text))
    .optional()
    .meta({ secret: true })
    .describe("The keystore's password; better in the environment or a file."),
  kubeconfig: z
    .string()
    .optional()
    .describe("Kubeconfig of the cluster. Default: the pod's own service account."),
  helperImage: image.describe(
    "Small image with sh, tar and sha256sum, by digest, that moves inputs and outputs.",
  ),
  userNamespaces: z.boolean().default(true).describe("Run pods in user namespaces where the cluster can."),
  cpuRequestShare: z
    .number()
    .gt(0)
    .max(1)
    .default(1)
    .describe("Share of a lease's vCPUs that its pod requests; limits stay."),
  isolation: z
    .enum(isolationClasses)
    .optional()
    .describe("Isolation class to hold orders against. Default: what the registry says."),
  imageHosts: z
    .array(z.string())
    .default(["docker.io", "ghcr.io", "quay.io", "nvcr.io"])
    .describe("Registries that tasks may use."),
  listen: z
    .array(z.string())
    .min(1)
    .default(["/ip4/0.0.0.0/tcp/4001", "/ip4/0.0.0.0/tcp/4002/ws"])
    .describe("libp2p addresses to listen on."),
  announce: z
    .array(z.string())
    .default([])
    .describe("libp2p addresses to announce besides (a public address behind NAT)."),
  httpHost: z.string().default("127.0.0.1").describe("Host of /healthz, /readyz, /metrics and /status."),
  httpPort: z.int().min(0).max(65_535).default(9_464).describe("Port of the same; 0: any free one."),
  finality: z
    .union([z.literal("tag"), z.int().min(0)])
    .optional()
    .describe(
      "When a block is final: the RPC's `finalized` tag, or so many blocks. Default: tag; on dev chains 3.",
    ),
  minConfirmations: z
    .int()
    .min(1)
    .optional()
    .describe("Blocks before anything is created from a fact. Default: 2; on dev chains 1."),
  pollInterval: z.int().min(50).default(500).describe("Milliseconds between looks at chain and cluster."),
  claimInterval: seconds
    .optional()
    .describe("Seconds between checkpoint claims. Default: 600; on local networks 5."),
  maxCheckpointBytes: z
    .int()
    .min(0)
    .default(1024 ** 3)
    .describe("Most bytes of one checkpoint that is kept for another node to go on from; 0: none is."),
  checkpointCopies: z
    .int()
    .min(0)
    .max(8)
    .default(2)
    .describe("Other nodes that are given each checkpoint before it is claimed."),
  quoteLife: z
    .int()
    .min(10)
    .max(MAX_QUOTE_LIFE_SECONDS)
    .default(120)
    .describe("Seconds for which a quote holds; its share of the node is offered to nobody else until then."),
  allowQuorum: z
    .boolean()
    .default(false)
    .describe("Quote for quorums too: a replica is paid only if enough others had the same result."),
  maxLeases: z.int().min(1).default(64).describe("Leases at a time."),
  maxInputBytes: z
    .int()
    .min(0)
    .default(64 * 1024 ** 3)
    .describe("Most bytes of one task's inputs."),
  maxImageBytes: z
    .int()
    .min(0)
    .default(64 * 1024 ** 3)
    .describe("Most bytes of a task's image, compressed, as its registry says."),
  gas: z
    .strictObject({
      maxFeePerGas: wei.default("200000000000").describe("Most wei per gas."),
      dailyCap: wei
        .default("1000000000000000000")
        .describe("Most wei a day for accepts, checkpoints, settlements and the committee's calls."),
      replaceAfter: seconds
        .default(30)
        .describe("Seconds until a transaction that is not mined is sent again with a higher fee."),
    })
    .prefault({}),
  keepFinishedPods: z.boolean().default(false).describe("Leave finished pods for a look (local networks)."),
  adopt: z
    .boolean()
    .default(false)
    .describe("Take over live leases of this key although the journal is empty."),
  logLevel: z.enum(["debug", "info", "warn", "error"]).default("info").describe("How much is logged."),
});

export type OracleConfig = z.infer<typeof oracleConfigSchema>;
export type OracleConfigInput = z.input<typeof oracleConfigSchema>;
