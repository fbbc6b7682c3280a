-- Background jobs, made anew: nothing has ever written to the table of the first migration.
--
-- A job is done by whoever claims it; its claim holds until `locked_until`. `attempts` rises with every claim and never falls:
-- with it a claim is told from any later one, so that a worker which lost its claim can end nothing.
DROP TABLE jobs;
CREATE TABLE jobs (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- All zero: the server's own.
    organisation BLOB    NOT NULL CHECK (length(organisation) = 16),
    queue        TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    not_before   INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    -- Attempts that failed since it was wanted, or since a person asked for it again; at `max_attempts` it is given up.
    failures     INTEGER NOT NULL DEFAULT 0,
    max_attempts INTEGER NOT NULL CHECK (max_attempts > 0),
    locked_by    BLOB    CHECK (length(locked_by) = 16),
    locked_until INTEGER,
    created_at   INTEGER NOT NULL,
    started_at   INTEGER,
    ended_at     INTEGER,
    -- Of an organisation's jobs of one queue that are not over, one at most has this.
    unique_key   TEXT,
    -- Of the last attempt that failed.
    error        TEXT,
    input        TEXT    NOT NULL,
    output       TEXT
) STRICT;
-- What is to be done, in order of due time; jobs that are over cost the claim nothing.
CREATE INDEX jobs_pending ON jobs (queue, not_before, id) WHERE state = 'pending';
CREATE INDEX jobs_running ON jobs (locked_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_unique ON jobs (organisation, queue, unique_key) WHERE unique_key IS NOT NULL AND state IN ('pending', 'running');
-- Lists, newest first; ids are in order of creation.
CREATE INDEX jobs_all ON jobs (organisation, id);
CREATE INDEX jobs_over ON jobs (organisation, ended_at) WHERE ended_at IS NOT NULL;
