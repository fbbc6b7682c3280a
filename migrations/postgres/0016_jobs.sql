-- Background jobs, made anew: nothing has ever written to the table of the first migration.
--
-- A job is done by whoever claims it; its claim holds until `locked_until`. `attempts` rises with every claim and never falls:
-- with it a claim is told from any later one, so that a worker which lost its claim can end nothing.
DROP TABLE jobs;
CREATE TABLE jobs (
    id           UUID    NOT NULL PRIMARY KEY,
    -- All zero: the server's own.
    organisation UUID    NOT NULL,
    queue        TEXT COLLATE "C" NOT NULL,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('pending', 'running', 'done', 'failed', 'cancelled')),
    not_before   BIGINT NOT NULL,
    attempts     BIGINT NOT NULL DEFAULT 0,
    -- Attempts that failed since it was wanted, or since a person asked for it again; at `max_attempts` it is given up.
    failures     BIGINT NOT NULL DEFAULT 0,
    max_attempts BIGINT NOT NULL CHECK (max_attempts > 0),
    locked_by    UUID,
    locked_until BIGINT,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    ended_at     BIGINT,
    -- Of an organisation's jobs of one queue that are not over, one at most has this.
    unique_key   TEXT COLLATE "C",
    -- Of the last attempt that failed.
    error        TEXT COLLATE "C",
    input        TEXT COLLATE "C" NOT NULL,
    output       TEXT COLLATE "C"
);
-- What is to be done, in order of due time; jobs that are over cost the claim nothing.
CREATE INDEX jobs_pending ON jobs (queue, not_before, id) WHERE state = 'pending';
CREATE INDEX jobs_running ON jobs (locked_until) WHERE state = 'running';
CREATE UNIQUE INDEX jobs_unique ON jobs (organisation, queue, unique_key) WHERE unique_key IS NOT NULL AND state IN ('pending', 'running');
-- Lists, newest first; ids are in order of creation.
CREATE INDEX jobs_all ON jobs (organisation, id);
CREATE INDEX jobs_over ON jobs (organisation, ended_at) WHERE ended_at IS NOT NULL;
