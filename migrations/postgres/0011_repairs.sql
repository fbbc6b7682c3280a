-- Failures grouped by cause, and repairs of many runs at a time.

-- What failures have in common: hash of workflow, step, code and the message without its variable parts; null unless failed.
ALTER TABLE runs ADD COLUMN cause TEXT COLLATE "C";
CREATE INDEX runs_failed ON runs (organisation, cause, ended_at) WHERE status = 'failed';

-- What a person asked for of many runs; done one after the other, at most so many a minute. `ended_at` null: not all are done.
CREATE TABLE bulk_repairs (
    organisation UUID NOT NULL,
    id UUID NOT NULL,
    action TEXT COLLATE "C" NOT NULL CHECK (action IN ('retry', 'skip', 'cancel')),
    options TEXT COLLATE "C" NOT NULL,
    per_minute BIGINT NOT NULL CHECK (per_minute > 0),
    actor TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (organisation, id)
);
CREATE INDEX bulk_repairs_open ON bulk_repairs (next_at) WHERE ended_at IS NULL;

-- The runs of one; `done` is written in the transaction that repairs the run.
CREATE TABLE bulk_repair_runs (
    organisation UUID NOT NULL,
    repair UUID NOT NULL,
    run UUID NOT NULL,
    state TEXT COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'refused', 'stopped')),
    reason TEXT COLLATE "C",
    PRIMARY KEY (organisation, repair, run)
);
CREATE INDEX bulk_repair_runs_pending ON bulk_repair_runs (organisation, repair, run) WHERE state = 'pending';
