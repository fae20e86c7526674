/** Each entry is run once, in order; the file's `user_version` counts them. Never edit one that was released. */
export const migrations: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

  -- Facts of the chain: each row names its block, so that a reorg can take it back.
  CREATE TABLE blocks (number INTEGER PRIMARY KEY, hash TEXT NOT NULL) STRICT;
  CREATE TABLE tasks (
    lease_id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    order_json TEXT NOT NULL,
    open_until INTEGER NOT NULL,
    block INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE lease_events (
    lease_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    node TEXT,
    attempt INTEGER,
    block INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    PRIMARY KEY (block, log_index)
  ) STRICT;
  CREATE INDEX lease_events_by_lease ON lease_events (lease_id);
  CREATE INDEX lease_events_by_node ON lease_events (node, kind);
  CREATE TABLE node_events (node TEXT NOT NULL, block INTEGER NOT NULL, log_index INTEGER NOT NULL,
    PRIMARY KEY (block, log_index)) STRICT;

  -- The journal: one row an attempt, a step is taken when its column is set.
  CREATE TABLE attempts (
    lease_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    task_id TEXT NOT NULL,
    consumer TEXT NOT NULL,
    order_json TEXT NOT NULL,
    adopted INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    accepted_at INTEGER,
    ensured_at INTEGER,
    pod_seen_at INTEGER,
    inputs_sent_at INTEGER,
    started_at INTEGER,
    stop_asked_at INTEGER,
    run_json TEXT,
    log_taken_at INTEGER,
    sealed_json TEXT,
    signature TEXT,
    posted_at INTEGER,
    released_at INTEGER,
    settled_at INTEGER,
    ended_status TEXT,
    ended_at INTEGER,
    torn_down_at INTEGER,
    fail_reason TEXT,
    PRIMARY KEY (lease_id, attempt)
  ) STRICT;
  CREATE TABLE attestations (
    lease_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    content TEXT NOT NULL,
    ciphertext_root TEXT NOT NULL,
    PRIMARY KEY (lease_id, attempt)
  ) STRICT;
  CREATE INDEX attestations_by_root ON attestations (ciphertext_root);
  CREATE TRIGGER attestations_are_final BEFORE UPDATE ON attestations
    BEGIN SELECT RAISE(ABORT, 'an attestation is never changed'); END;
  CREATE TRIGGER attestations_stay BEFORE DELETE ON attestations
    BEGIN SELECT RAISE(ABORT, 'an attestation is never deleted'); END;

  -- The transaction queue: written before anything is sent.
  CREATE TABLE transactions (
    id INTEGER PRIMARY KEY,
    purpose TEXT NOT NULL,
    budget TEXT NOT NULL,
    nonce INTEGER NOT NULL,
    target TEXT NOT NULL,
    data TEXT NOT NULL,
    gas TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    block INTEGER,
    cost TEXT
  ) STRICT;
  CREATE INDEX transactions_by_state ON transactions (state);
  CREATE INDEX transactions_by_purpose ON transactions (purpose);
  CREATE TABLE sends (
    hash TEXT PRIMARY KEY,
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    raw TEXT NOT NULL,
    max_fee TEXT NOT NULL,
    tip TEXT NOT NULL,
    sent_at INTEGER NOT NULL
  ) STRICT;
  `,
  `
  -- Asked at every look, so the cost must not grow with what is over.
  CREATE INDEX tasks_by_close ON tasks (open_until);
  CREATE INDEX attempts_live ON attempts (created_at) WHERE torn_down_at IS NULL OR ended_status IS NULL;
  CREATE INDEX transactions_by_state_and_block ON transactions (state, block);
  CREATE INDEX transactions_by_nonce ON transactions (nonce);
  CREATE INDEX transactions_by_time ON transactions (created_at);
  CREATE INDEX sends_by_transaction ON sends (transaction_id);
  `,
  `
  -- Quotes, written before they are signed. Held: it counts against what the next quote may promise.
  CREATE TABLE quotes (
    nonce INTEGER PRIMARY KEY,
    consumer TEXT NOT NULL,
    order_hash TEXT NOT NULL,
    member_index INTEGER NOT NULL,
    asker TEXT NOT NULL,
    gpus INTEGER NOT NULL,
    v_cpus INTEGER NOT NULL,
    memory_mib TEXT NOT NULL,
    lock TEXT NOT NULL,
    expiry INTEGER NOT NULL,
    is_held INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX quotes_by_expiry ON quotes (expiry);
  CREATE INDEX quotes_held ON quotes (consumer, order_hash) WHERE is_held = 1;
  `,
  `
  -- A task has several leases, and a lease several attempts. What was read of the chain is read again.
  DELETE FROM blocks;
  DELETE FROM lease_events;
  DELETE FROM node_events;
  DROP TABLE tasks;
  CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    consumer TEXT NOT NULL,
    order_json TEXT NOT NULL,
    open_until INTEGER NOT NULL,
    block INTEGER NOT NULL
  ) STRICT;
  -- over_by: no attempt of the lease can be alive any more.
  CREATE TABLE leases (
    lease_id TEXT PRIMARY KEY,
    task_id TEXT NOT NULL,
    lease_index INTEGER NOT NULL,
    over_by INTEGER NOT NULL,
    block INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX tasks_by_close ON tasks (open_until);
  CREATE INDEX leases_by_task ON leases (task_id);
  CREATE INDEX leases_by_end ON leases (over_by);
  ALTER TABLE lease_events ADD COLUMN deadline INTEGER;
  CREATE INDEX lease_events_reopened ON lease_events (deadline) WHERE kind = 'LeaseReopened';

  -- Unlike a step, these change while the attempt runs: the seconds that its pod was given, and its newest checkpoint.
  ALTER TABLE attempts ADD COLUMN pod_seconds INTEGER;
  ALTER TABLE attempts ADD COLUMN checkpoint_json TEXT;
  -- The checkpoint that the attempt goes on from, or null for a fresh start: decided once.
  ALTER TABLE attempts ADD COLUMN resume_json TEXT;
  `,
  `
  -- Seen in a final block: no reorg takes the transaction back.
  ALTER TABLE transactions ADD COLUMN is_final INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX transactions_unsettled ON transactions (state) WHERE is_final = 0;
  `,
  `
  -- What consumers signed that they have received, and what this node said of delivery claims as an attester.
  CREATE TABLE receipts (
    lease_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    signature TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (lease_id, attempt)
  ) STRICT;
  CREATE TABLE verdicts (
    lease_id TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    claimed_at INTEGER NOT NULL,
    fetched INTEGER NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (lease_id, attempt, claimed_at)
  ) STRICT;
  -- Claims are kept from now on. What was read of the chain is read again.
  DELETE FROM blocks;
  DELETE FROM tasks;
  DELETE FROM leases;
  DELETE FROM lease_events;
  DELETE FROM node_events;
  CREATE INDEX lease_events_claims ON lease_events (deadline) WHERE kind = 'UndeliveredClaimed';
  `,
  `
  -- A quorum's replica: what it encrypts under, and what it needs to reveal what it committed to. Decided once.
  ALTER TABLE attempts ADD COLUMN replica_json TEXT;
  ALTER TABLE attempts ADD COLUMN committed_at INTEGER;
  ALTER TABLE attempts ADD COLUMN key_given_at INTEGER;
  `,
  `
  -- Keys of private tasks that nodes were handed, as the chain carries them; salt: what their sealed blobs begin with.
  CREATE TABLE key_grants (
    task_id TEXT NOT NULL,
    node TEXT NOT NULL,
    wrap TEXT NOT NULL,
    salt TEXT,
    block INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    PRIMARY KEY (block, log_index)
  ) STRICT;
  CREATE INDEX key_grants_by_task ON key_grants (task_id, node);
  CREATE INDEX key_grants_by_salt ON key_grants (salt, node);
  `,
];
