-- The engine's tables. Numbers in brackets are the rules of SEMANTICS.md that a table carries.
--
-- Common to all: ids are 16-byte blobs, times are milliseconds since 1970 UTC, JSON is text, truth is 0 or 1. Every table
-- carries its organisation, and every query names it. STRICT, so that a value of another type is refused and not kept.
-- In tables without rowid the key comes first, then what filters, then what is only read; large values come last, so that
-- a scan need not read past them.

-- What the engine knows of an organisation. The generation rises with every change of published definitions: routing that
-- used an older snapshot routes again [9].
CREATE TABLE engine_organisations (
    organisation BLOB NOT NULL PRIMARY KEY CHECK (length(organisation) = 16),
    definition_generation INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Processes that own shards, or did. Not an organisation's: infrastructure.
CREATE TABLE nodes (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    started_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row a shard, all there from the start, so that taking one is an update that locks a row. The epoch rises whenever the
-- shard changes hands; every commit checks the epochs that it relies on [4].
CREATE TABLE leases (
    shard INTEGER NOT NULL PRIMARY KEY CHECK (shard BETWEEN 0 AND 255),
    node BLOB CHECK (length(node) = 16),
    epoch INTEGER NOT NULL DEFAULT 0,
    expires_at INTEGER NOT NULL DEFAULT 0
) STRICT;
WITH RECURSIVE shards (shard) AS (SELECT 0 UNION ALL SELECT shard + 1 FROM shards WHERE shard < 255)
INSERT INTO leases (shard) SELECT shard FROM shards;

-- ---- definitions ----

-- A workflow's name and what is current of it. `current_version` null: it takes no starts.
CREATE TABLE workflows (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    name TEXT NOT NULL,
    current_version INTEGER,
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, name)
) STRICT, WITHOUT ROWID;

-- Published versions: immutable, with the revision of the language they were written in [21].
CREATE TABLE workflow_versions (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    digest TEXT NOT NULL,
    language_revision INTEGER NOT NULL,
    published_at INTEGER NOT NULL,
    source TEXT NOT NULL,
    PRIMARY KEY (organisation, workflow, version)
) STRICT;

-- What people edit before they publish.
CREATE TABLE workflow_drafts (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT,
    source TEXT NOT NULL,
    PRIMARY KEY (organisation, workflow)
) STRICT;

-- ---- events ----

-- `data` is null where it is larger than 1 MiB: then it lies in event_payloads [18].
CREATE TABLE events (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    taken_in_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT,
    subject TEXT,
    time INTEGER,
    cause BLOB CHECK (length(cause) = 16),
    depth INTEGER NOT NULL DEFAULT 0 CHECK (depth >= 0),
    data TEXT,
    PRIMARY KEY (organisation, id)
) STRICT;
CREATE INDEX events_type ON events (organisation, type, id);

CREATE TABLE event_payloads (
    organisation BLOB NOT NULL,
    event BLOB NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (organisation, event)
) STRICT;

-- What routing noted, for people: started runs, trigger errors, refused and held starts [1, 9, 22]. In order of `id`.
CREATE TABLE event_notes (
    id INTEGER PRIMARY KEY,
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    event BLOB NOT NULL CHECK (length(event) = 16),
    kind TEXT NOT NULL,
    run BLOB CHECK (length(run) = 16),
    note TEXT NOT NULL
) STRICT;
CREATE INDEX event_notes_event ON event_notes (organisation, event);

-- Identity of events for 90 days: hash(organisation, source, id) → the event whose body won [8]. Hashes fall anywhere in the
-- tree, so the rows are kept as small as they can be; no index on time: the clean-up walks the tree in slices.
CREATE TABLE event_keys (
    organisation BLOB NOT NULL,
    key BLOB NOT NULL CHECK (length(key) = 16),
    event BLOB NOT NULL CHECK (length(event) = 16),
    taken_in_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, key)
) STRICT, WITHOUT ROWID;

-- Under which values an event of an awaited type can still be found, for 30 days [11]. The order of the key is the order in
-- which a wait looks for early events: oldest first.
CREATE TABLE event_correlations (
    organisation BLOB NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 16),
    taken_in_at INTEGER NOT NULL,
    event BLOB NOT NULL CHECK (length(event) = 16),
    PRIMARY KEY (organisation, hash, taken_in_at, event)
) STRICT, WITHOUT ROWID;

-- An event with more than 200 targets: how far its deliveries are. Waits opened after `taken_in_at` are no targets [13].
CREATE TABLE fan_outs (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    event BLOB NOT NULL CHECK (length(event) = 16),
    taken_in_at INTEGER NOT NULL,
    position TEXT NOT NULL,
    PRIMARY KEY (organisation, event)
) STRICT, WITHOUT ROWID;

-- ---- waits ----

-- The distinct (type, paths) that waits compare: what an event's correlations are made from [10]. `paths` is a JSON list.
CREATE TABLE wait_shapes (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    type TEXT NOT NULL,
    paths TEXT NOT NULL,
    PRIMARY KEY (organisation, type, paths)
) STRICT, WITHOUT ROWID;

-- Open waits and exit rules. By run for closing, by hash for finding [3, 10].
CREATE TABLE waits (
    run BLOB NOT NULL CHECK (length(run) = 16),
    target TEXT NOT NULL,
    which TEXT NOT NULL,
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    hash BLOB NOT NULL CHECK (length(hash) = 16),
    shard INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    type TEXT NOT NULL,
    paths TEXT NOT NULL,
    PRIMARY KEY (run, target, which)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_hash ON waits (organisation, hash);

-- ---- runs ----

-- The derived row of a run: what lists and filters need. History is the truth; this can be rebuilt from it.
CREATE TABLE runs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    shard INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 255),
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL,
    key TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('held', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled')),
    contact TEXT,
    event BLOB CHECK (length(event) = 16),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    last_seq INTEGER NOT NULL,
    depth INTEGER NOT NULL DEFAULT 0,
    exit TEXT,
    waiting_on TEXT,
    error TEXT,
    input TEXT NOT NULL,
    output TEXT
) STRICT;
-- Lists, newest first; ids are in order of creation.
CREATE INDEX runs_all ON runs (organisation, id);
CREATE INDEX runs_workflow ON runs (organisation, workflow, id);
CREATE INDEX runs_key ON runs (organisation, key, id);
CREATE INDEX runs_contact ON runs (organisation, contact, id) WHERE contact IS NOT NULL;
-- States that are rare among many runs; the common ones are found by walking `runs_all`.
CREATE INDEX runs_rare ON runs (organisation, status, id) WHERE status IN ('held', 'paused', 'failed', 'cancelled');
-- Who lives, for `mode` [22]; and what recovery takes up. Only live states are in them, so they stay small.
CREATE INDEX runs_live ON runs (organisation, workflow, key, id) WHERE status IN ('running', 'waiting', 'paused');
CREATE INDEX runs_running ON runs (shard, id) WHERE status = 'running';

-- When the last run of a key ended; remembered longer than the runs [22].
CREATE TABLE run_keys (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    key TEXT NOT NULL,
    last_ended_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, workflow, key)
) STRICT, WITHOUT ROWID;

-- The append-only truth: one row a transition. Its entries share `at` and follow each other from `seq`, so they carry
-- neither. (run, seq) is the second fence after the epoch [4]: two writers of one run collide at their first difference.
-- With rowid: rows of all runs are appended at one end and only the small index is spread over the runs. Measured against
-- WITHOUT ROWID with 64 and 512 runs at a time this writes a third more rows a second and up to half the log.
CREATE TABLE history (
    run BLOB NOT NULL CHECK (length(run) = 16),
    seq INTEGER NOT NULL CHECK (seq >= 1),
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    at INTEGER NOT NULL,
    entries TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) STRICT;

-- Values of entries that are larger than 4 KiB or personal, by digest; the entry holds { "$payload": digest }. A null value
-- is an erased one: it reads as { "$erased": digest }, and sequence, kinds and decisions stay [17].
CREATE TABLE payloads (
    run BLOB NOT NULL CHECK (length(run) = 16),
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    personal INTEGER NOT NULL CHECK (personal IN (0, 1)),
    value TEXT,
    PRIMARY KEY (run, digest)
) STRICT;

-- A disposable cache of the fold [19].
CREATE TABLE checkpoints (
    run BLOB NOT NULL PRIMARY KEY CHECK (length(run) = 16),
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    seq INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;

-- Sleeps, deadlines, retries, time-outs of runs. By run for moving and clearing. The index leads with the due time and not
-- with the shard: the owner reads ahead over all its shards at once, mostly all there are, in order of due time.
CREATE TABLE timers (
    run BLOB NOT NULL CHECK (length(run) = 16),
    key TEXT NOT NULL,
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    shard INTEGER NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX timers_due ON timers (due, shard);

-- Which variant a `split` gave whom, when first asked: changed weights move nobody [35].
CREATE TABLE variants (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    step TEXT NOT NULL,
    by TEXT NOT NULL,
    variant TEXT NOT NULL,
    assigned_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, workflow, step, by)
) STRICT, WITHOUT ROWID;

-- ---- between shards ----

-- What waits for a shard's owner, unique by (cause, target), taken by existence [1, 2]. AUTOINCREMENT, so that a number is
-- never given twice: a late deletion by number must not hit a newer row.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    shard INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 255),
    run BLOB CHECK (length(run) = 16),
    cause TEXT NOT NULL,
    target TEXT NOT NULL,
    message TEXT NOT NULL,
    UNIQUE (organisation, cause, target)
) STRICT;
CREATE INDEX inbox_shard ON inbox (shard);
CREATE INDEX inbox_run ON inbox (run) WHERE run IS NOT NULL;

-- Starts that `mode` or a limit holds back, in order of intake [22, 23].
CREATE TABLE held_starts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    key TEXT NOT NULL,
    trigger_place INTEGER,
    event BLOB CHECK (length(event) = 16),
    run BLOB NOT NULL CHECK (length(run) = 16),
    reason TEXT NOT NULL,
    not_before INTEGER,
    held_at INTEGER NOT NULL,
    input TEXT NOT NULL
) STRICT;
CREATE INDEX held_starts_key ON held_starts (organisation, workflow, key, id);
CREATE INDEX held_starts_due ON held_starts (not_before) WHERE not_before IS NOT NULL;

-- Concurrency permits of limits that are not per key of the run; they live in the limit's home shard and are released by the
-- run's last commit [24].
CREATE TABLE permits (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    limit_name TEXT NOT NULL,
    key TEXT NOT NULL,
    run BLOB NOT NULL CHECK (length(run) = 16),
    shard INTEGER NOT NULL CHECK (shard BETWEEN 0 AND 255),
    taken_at INTEGER NOT NULL,
    PRIMARY KEY (organisation, limit_name, key, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX permits_run ON permits (run);

-- ---- API ----

-- `Idempotency-Key` of a request, for 24 h; written in the effect's transaction [34]. `status` null: still running.
CREATE TABLE idempotency_keys (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    token TEXT NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL CHECK (length(request_hash) = 32),
    created_at INTEGER NOT NULL,
    status INTEGER,
    response TEXT,
    PRIMARY KEY (organisation, token, route, key)
) STRICT;
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Work that is no workflow: enqueued in the transaction that wants it, done by workers with a lease and a durable back-off.
CREATE TABLE jobs (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    queue TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'running', 'done', 'failed')),
    priority INTEGER NOT NULL DEFAULT 5,
    not_before INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL,
    locked_by BLOB CHECK (length(locked_by) = 16),
    locked_until INTEGER,
    created_at INTEGER NOT NULL,
    ended_at INTEGER,
    error TEXT,
    input TEXT NOT NULL
) STRICT;
-- Only what is to be done: finished jobs cost the claim nothing.
CREATE INDEX jobs_pending ON jobs (queue, priority, not_before) WHERE state = 'pending';
CREATE INDEX jobs_running ON jobs (locked_until) WHERE state = 'running';
