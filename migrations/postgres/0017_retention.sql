-- How many days a run is kept after its end; the empty name is for every workflow that has no rule of its own.
CREATE TABLE retention_rules (
    organisation UUID    NOT NULL,
    workflow     TEXT COLLATE "C" NOT NULL,
    days         BIGINT NOT NULL CHECK (days >= 1),
    PRIMARY KEY (organisation, workflow)
);

-- Runs whose row is gone already, and of whose history or payloads something may be left: those go in pieces.
CREATE TABLE forgotten_runs (
    organisation UUID NOT NULL,
    run          UUID NOT NULL,
    PRIMARY KEY (organisation, run)
);
