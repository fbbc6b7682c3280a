-- Versions on trial: a new version takes a share of a workflow's starts, the current one the rest. What is counted are its runs
-- that ended by themselves; `held_at`: too many of them failed, and it takes no starts any more.
CREATE TABLE rollouts (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    workflow TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    since INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    held_at INTEGER,
    PRIMARY KEY (organisation, workflow)
) STRICT, WITHOUT ROWID;
