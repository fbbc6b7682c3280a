-- Where each `schedule` trigger of a current version stands. Written with the version that becomes current, and moved in the
-- transaction that stores the event of a due time, so that each due time fires once. All rows of a shard's owner are in its
-- memory, by `fires_at`; the table is read at a take-over only.

CREATE TABLE schedules (
    organisation UUID NOT NULL,
    workflow TEXT COLLATE "C" NOT NULL,
    trigger_place BIGINT NOT NULL CHECK (trigger_place >= 0),
    shard BIGINT NOT NULL CHECK (shard BETWEEN 0 AND 255),
    -- The due time that is next to be worked on, and when it fires: later by its jitter.
    next_due BIGINT NOT NULL,
    fires_at BIGINT NOT NULL,
    -- What its due times follow from: a new version with the same goes on where the old one stood.
    rhythm TEXT COLLATE "C" NOT NULL,
    -- `each`: the last contact that `next_due` has served; null before the first.
    position TEXT COLLATE "C",
    PRIMARY KEY (organisation, workflow, trigger_place)
);
