-- Connections: stored credentials for connectors.

CREATE TABLE connections (
    organisation      BLOB    NOT NULL CHECK (length(organisation) = 16),
    id                BLOB    NOT NULL CHECK (length(id) = 16),
    connector         TEXT    NOT NULL,
    name              TEXT    NOT NULL CHECK (name <> ''),
    -- The provider's account that the config names, beside it so that a delivery for another account of the same webhook
    -- address finds its connection. Not unique: a second connection to one account is odd and no mistake.
    account           TEXT,
    config            TEXT    NOT NULL CHECK (json_valid(config)),
    -- Sealed with XChaCha20-Poly1305: version, key id, nonce, ciphertext. Null when nothing is set.
    secrets           BLOB,
    -- Which secrets are set, readable without opening them.
    secret_names      TEXT    NOT NULL CHECK (json_valid(secret_names)),
    -- Rises with every change of name, config or secrets, never with health: what caches and ETags compare.
    revision          INTEGER NOT NULL CHECK (revision > 0),
    health            TEXT    NOT NULL CHECK (health IN ('unknown', 'healthy', 'unhealthy')),
    health_message    TEXT,
    health_checked_at INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL,
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;

-- Definitions name connections, so a name means one.
CREATE UNIQUE INDEX connections_name ON connections (organisation, name);
-- A webhook address names the connection alone; what is found says whose it is.
CREATE UNIQUE INDEX connections_webhook ON connections (id);
CREATE INDEX connections_account ON connections (organisation, connector, account) WHERE account IS NOT NULL;
