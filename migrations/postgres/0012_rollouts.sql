-- Versions on trial: a new version takes a share of a workflow's starts, the current one the rest. What is counted are its runs
-- that ended by themselves; `held_at`: too many of them failed, and it takes no starts any more.
CREATE TABLE rollouts (
    organisation UUID NOT NULL,
    workflow TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL CHECK (version >= 1),
    since BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    held_at BIGINT,
    PRIMARY KEY (organisation, workflow)
);
