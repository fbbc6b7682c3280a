-- Several nodes on one database: what each says of itself, how they learn of changes, and how they answer each other.

-- `takes`: it owns shards, or wants some.
ALTER TABLE nodes ADD COLUMN role TEXT NOT NULL DEFAULT 'all';
ALTER TABLE nodes ADD COLUMN takes BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE nodes ADD COLUMN about TEXT NOT NULL DEFAULT '';

-- Rises whenever something changes that every node keeps in memory: definitions, pauses, versions on trial, shapes of waits [9].
CREATE TABLE engine_generation (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    generation BIGINT NOT NULL
);
INSERT INTO engine_generation (id, generation) VALUES (1, 0);

-- When a row was written: how far an owner lags behind.
ALTER TABLE inbox ADD COLUMN at BIGINT NOT NULL DEFAULT 0;

-- What a shard's owner answered to a request that came in at another node. Kept for a day.
CREATE TABLE replies (
    request UUID NOT NULL PRIMARY KEY,
    answered_at BIGINT NOT NULL,
    answer TEXT NOT NULL
);
CREATE INDEX replies_answered ON replies (answered_at);
