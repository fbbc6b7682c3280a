-- How many days a run is kept after its end; the empty name is for every workflow that has no rule of its own.
CREATE TABLE retention_rules (
    organisation BLOB    NOT NULL CHECK (length(organisation) = 16),
    workflow     TEXT    NOT NULL,
    days         INTEGER NOT NULL CHECK (days >= 1),
    PRIMARY KEY (organisation, workflow)
) STRICT, WITHOUT ROWID;

-- Runs whose row is gone already, and of whose history or payloads something may be left: those go in pieces.
CREATE TABLE forgotten_runs (
    organisation BLOB NOT NULL CHECK (length(organisation) = 16),
    run          BLOB NOT NULL CHECK (length(run) = 16),
    PRIMARY KEY (organisation, run)
) STRICT, WITHOUT ROWID;
