-- Flow control: what a held start waits for, and what rates have used up [22, 23, 24].

-- The queue that a held start waits in: `key` (runs of one key go one at a time), `concurrency` and `rate` (a limit),
-- `debounce` (the end of its burst), `paused`, `person` (something that time does not mend). `queue_name` and `queue_key` are
-- the workflow and its key, or the limit and the value that it counts apart.
ALTER TABLE held_starts ADD COLUMN queue TEXT COLLATE "C" NOT NULL DEFAULT 'key' CHECK (queue IN ('key', 'concurrency', 'rate', 'debounce', 'paused', 'person'));
ALTER TABLE held_starts ADD COLUMN queue_name TEXT COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE held_starts ADD COLUMN queue_key TEXT COLLATE "C" NOT NULL DEFAULT '';
-- 1 goes first, 10 last; `place` is the priority in queues that go by it, and 0 in those that go in order of intake.
ALTER TABLE held_starts ADD COLUMN priority BIGINT NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10);
ALTER TABLE held_starts ADD COLUMN place BIGINT NOT NULL DEFAULT 0;
ALTER TABLE held_starts ADD COLUMN depth BIGINT NOT NULL DEFAULT 0;
UPDATE held_starts SET queue_name = workflow, queue_key = key;
-- The head of each queue is the first row of its range; queues themselves are found by stepping from one range to the next.
CREATE INDEX held_starts_queue ON held_starts (organisation, queue, queue_name, queue_key, place, id);
CREATE INDEX held_starts_run ON held_starts (run);
-- Only bursts have an end that somebody must wake up for; the times of the others are for people.
DROP INDEX held_starts_due;
CREATE INDEX held_starts_bursts ON held_starts (not_before NULLS FIRST, id) WHERE queue = 'debounce';

-- Until when the past starts of a rate limit count, in microseconds since 1970: written with each start, so that neither a
-- crash nor a take-over lets one through too many [24]. Not in milliseconds: a thousand starts a second are a millisecond apart.
CREATE TABLE rates (
    organisation UUID NOT NULL,
    limit_name TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    shard BIGINT NOT NULL CHECK (shard BETWEEN 0 AND 255),
    used_until BIGINT NOT NULL,
    PRIMARY KEY (organisation, limit_name, key)
);

-- What people hold besides whole workflows (`workflows.paused`): everything, an organisation, a workflow's step, what a version
-- started, or only a version's new starts. `target` is the step or the version. Everything is of the organisation of zeros [29].
CREATE TABLE pauses (
    organisation UUID NOT NULL,
    scope TEXT COLLATE "C" NOT NULL CHECK (scope IN ('everything', 'organisation', 'step', 'version', 'starts')),
    workflow TEXT COLLATE "C" NOT NULL DEFAULT '',
    target TEXT COLLATE "C" NOT NULL DEFAULT '',
    paused_at BIGINT NOT NULL,
    paused_by TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C",
    PRIMARY KEY (organisation, scope, workflow, target)
);

-- Runs that go on when what holds them is resumed: over all organisations, page by page.
CREATE INDEX runs_paused ON runs (id) WHERE status = 'paused';
