-- Connections: stored credentials for connectors.

CREATE TABLE connections (
    organisation      UUID    NOT NULL,
    id                UUID    NOT NULL,
    connector         TEXT COLLATE "C"    NOT NULL,
    name              TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    -- The provider's account that the config names, beside it so that a delivery for another account of the same webhook
    -- address finds its connection. Not unique: a second connection to one account is odd and no mistake.
    account           TEXT COLLATE "C",
    config            TEXT COLLATE "C"    NOT NULL CHECK (config::json IS NOT NULL),
    -- Sealed with XChaCha20-Poly1305: version, key id, nonce, ciphertext. Null when nothing is set.
    secrets           BYTEA,
    -- Which secrets are set, readable without opening them.
    secret_names      TEXT COLLATE "C"    NOT NULL CHECK (secret_names::json IS NOT NULL),
    -- Rises with every change of name, config or secrets, never with health: what caches and ETags compare.
    revision          BIGINT NOT NULL CHECK (revision > 0),
    health            TEXT COLLATE "C"    NOT NULL CHECK (health IN ('unknown', 'healthy', 'unhealthy')),
    health_message    TEXT COLLATE "C",
    health_checked_at BIGINT,
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    PRIMARY KEY (organisation, id)
);

-- Definitions name connections, so a name means one.
CREATE UNIQUE INDEX connections_name ON connections (organisation, name);
-- A webhook address names the connection alone; what is found says whose it is.
CREATE UNIQUE INDEX connections_webhook ON connections (id);
CREATE INDEX connections_account ON connections (organisation, connector, account) WHERE account IS NOT NULL;
