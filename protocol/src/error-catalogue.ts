/** Every error code with what it means, what to do, and whether waiting may help. `docs/errors.md` is generated from it. */
export interface ErrorEntry {
  readonly title: string;
  readonly hint: string;
  readonly retryable: boolean;
}

const entry = (title: string, hint: string, retryable = false): ErrorEntry => ({ title, hint, retryable });

export const catalogue = {
  // What a person wrote
  TASK_FILE_INVALID: entry(
    "task.yaml is not valid",
    "Correct the named line; the JSON Schema is in protocol/task.schema.json.",
  ),
  TASK_FILE_MISSING: entry("The task file does not exist", "Give the path of a task.yaml."),
  UNIT_INVALID: entry("A quantity could not be read", "Write it as in the example that the message shows."),
  SECRET_IN_PUBLIC_SPEC: entry(
    "A public task would carry a secret",
    "Remove `public: true`: only nodes that you hand the task's key can then read spec and inputs.",
  ),
  ENV_MISSING: entry(
    "A variable that the task needs is not set",
    "Set it in the environment of the command, or give its value in `env`.",
  ),
  PRIVATE_NEEDS_QUOTES: entry(
    "A private task is ordered by quotes only",
    "Order it without --open or --fallback-open, or set `public: true`: on the open path any node may take the task, so any must be able to read it.",
  ),
  KEY_WRAP_INVALID: entry(
    "A task's key wrap cannot be used",
    "Nothing runs with it; the consumer hands the key over again (`dekuper task hand-key --again`), wrapped for the node's current encryption key.",
  ),
  ENV_RESERVED: entry(
    "The task sets an environment variable that Dekuper sets",
    "Remove the variable from `env`.",
  ),
  INPUT_MISSING: entry("An input file does not exist", "Correct the path; it is relative to the task file."),
  PATH_INVALID: entry("A path is not allowed", "Use a relative UTF-8 path without empty, `.` or `..` parts."),
  IMAGE_INVALID: entry(
    "The image reference is not allowed",
    "Write host/name@sha256:<64 hex>, or a name that the network knows.",
  ),
  IMAGE_NOT_FOUND: entry("The image does not exist", "Check the name, or push the image before you order."),
  CONFIG_INVALID: entry(
    "The configuration is not valid",
    "Correct the named key; `dekuper oracle run --help` lists all.",
  ),
  USAGE: entry("The command line is not valid", "Run the command with --help."),
  // Chain
  NETWORK_UNKNOWN: entry("No network is configured", "Start one with `dekuper up`, or give --network FILE."),
  NETWORK_MISMATCH: entry(
    "The RPC serves another chain",
    "Use the RPC of the chain that the network file names.",
  ),
  CONTRACT_MISSING: entry("There is no contract at the address", "Check the network file, or deploy first."),
  CHAIN_CHANGED: entry(
    "The chain is not the one that the state folder belongs to",
    "Start with a new state folder, or point the RPC at the old chain.",
  ),
  CHAIN_STANDS_STILL: entry(
    "The chain's head does not move",
    "Start the dev chain with interval mining, for example `anvil --block-time 1`.",
    true,
  ),
  RPC_UNAVAILABLE: entry(
    "No RPC answers",
    "Check the RPC URLs; work goes on by itself when one is back.",
    true,
  ),
  INSUFFICIENT_FUNDS: entry(
    "The account cannot pay for this",
    "Run `dekuper account deposit` with at least the amount shown.",
  ),
  INSUFFICIENT_GAS: entry(
    "The account has too little of the chain's own coin for gas",
    "Send some to the address shown.",
    true,
  ),
  TRANSACTION_REVERTED: entry("The contract refuses the call", "The message names the contract's reason."),
  TRANSACTION_STUCK: entry(
    "A transaction was not mined in time",
    "It is replaced at a higher price by itself; check the RPC.",
    true,
  ),
  GAS_CAP_REACHED: entry(
    "The day's gas budget is spent",
    "Raise gas.dailyCap or wait until tomorrow; live leases keep their reserve.",
    true,
  ),
  RELAY_REFUSED: entry(
    "The relay does not carry this",
    "The message says why; nothing was sent and nothing was paid.",
  ),
  RELAY_UNAVAILABLE: entry(
    "The relay does not answer",
    "Try again, use another relay, or send without one: that needs the chain's own coin.",
    true,
  ),
  WALLET_NOT_DETERMINISTIC: entry(
    "The wallet signs the same message differently each time",
    "Use --age-key FILE: a key cannot be derived from this wallet.",
  ),
  NOT_FOUND: entry("There is no such task, lease or node", "Check the id with `dekuper task list`."),
  NOT_ALLOWED: entry("This account may not do that", "Use the account that owns the task or node."),
  WRONG_STATE: entry("The task is not in a state that allows this", "See `dekuper task show`."),
  ORDER_INVALID: entry("The contract takes no such order", "Correct the field that the message names."),
  NO_NODE_FITS: entry("No node can run the task as ordered", "`dekuper task plan` says why for each node."),
  BUDGET_EXCEEDED: entry(
    "The task may cost more than its budget",
    "Raise the budget, or lower duration or rate.",
  ),
  // Peers
  PEER_UNREACHABLE: entry(
    "The node cannot be reached",
    "It may be offline; try again, the output is kept until retainUntil.",
    true,
  ),
  BLOB_NOT_FOUND: entry(
    "No reachable node has the data",
    "Submit again from the machine that has the inputs.",
    true,
  ),
  BLOB_CORRUPT: entry(
    "The data received does not match its digest",
    "It was thrown away; try again or another node.",
    true,
  ),
  BLOB_QUOTA: entry(
    "The node keeps no more data for this address",
    "Wait until earlier tasks have ended.",
    true,
  ),
  READ_DENIED: entry(
    "The node refuses to hand out the data",
    "Sign in with the wallet that paid for the task.",
  ),
  MESSAGE_INVALID: entry("A peer sent a message that is not valid", "Nothing to do: it was dropped."),
  ATTESTATION_INVALID: entry(
    "The output does not match what the node attested",
    "Do not approve; keep the files as evidence.",
  ),
  // Provider
  CLUSTER_UNREACHABLE: entry(
    "The Kubernetes API does not answer",
    "Check the kubeconfig; pods keep running, nothing is torn down.",
    true,
  ),
  CLUSTER_REFUSED: entry(
    "The cluster refuses an object",
    "`dekuper node doctor` shows what the cluster allows.",
  ),
  OUTPUT_UNREADABLE: entry(
    "The output could not be read from the pod",
    "It is tried again while the pod exists.",
    true,
  ),
  KEYSTORE_INVALID: entry("The keystore could not be opened", "Check the file and the password."),
  LEADER_LOCK_HELD: entry("Another daemon runs with this key", "Stop the other daemon; one key, one daemon."),
  STATE_LOCKED: entry(
    "Another process uses the state folder",
    "Stop the process shown, or choose another state folder.",
  ),
  JOURNAL_EMPTY: entry(
    "The journal is empty but the chain shows live leases of this key",
    "Restore the state folder, or start with --adopt to take the leases over.",
  ),
  PORT_TAKEN: entry("A port is already in use", "Stop what uses it, or choose another port."),
  DISK_FULL: entry("The disk is full", "Free space in the state folder; work goes on by itself.", true),
  SETUP_FAILED: entry(
    "Set-up could not finish",
    "Read the log shown and run the command again: finished steps are kept.",
  ),
  COMPONENT_FAILED: entry("A part of the local network did not start", "Read the log shown."),
  TIMED_OUT: entry("It took too long", "Try again; the message says what was awaited.", true),
  INTERNAL: entry("Something that should not happen did", "Please report it with the log."),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof catalogue;
