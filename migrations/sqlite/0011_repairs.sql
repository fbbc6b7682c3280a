-- Failures grouped by cause, and repairs of many runs at a time.

-- What failures have in common: hash of workflow, step, code and the message without its variable parts; null unless failed.
ALTER TABLE runs ADD COLUMN cause TEXT;
CREATE INDEX runs_failed ON runs (organisation, cause, ended_at) WHERE status = 'failed';

-- What a person asked for of many runs; done one after the other, at most so many a minute. `ended_at` null: not all are done.
CREATE TABLE bulk_repairs (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    id BLOB NOT NULL CHECK (length(id) = 16),
    action TEXT NOT NULL CHECK (action IN ('retry', 'skip', 'cancel')),
    options TEXT NOT NULL,
    per_minute INTEGER NOT NULL CHECK (per_minute > 0),
    actor TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_repairs_open ON bulk_repairs (next_at) WHERE ended_at IS NULL;

-- The runs of one; `done` is written in the transaction that repairs the run.
CREATE TABLE bulk_repair_runs (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    repair BLOB NOT NULL CHECK (length(repair) = 16),
    run BLOB NOT NULL CHECK (length(run) = 16),
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused', 'stopped')),
    reason TEXT,
    PRIMARY KEY (organisation, repair, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX bulk_repair_runs_pending ON bulk_repair_runs (organisation, repair, run) WHERE state = 'pending';
