-- Who works here: organisations, users, sessions, tokens, the audit log.
-- Ids are 16-byte UUIDs, times are milliseconds since 1970 UTC, JSON is text. Every table carries the organisation, and so
-- does every index that is not over a secret's hash: no query can forget it and still be fast.

CREATE TABLE organisations (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    -- What `--org` and URLs say.
    name           TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    title          TEXT    NOT NULL,
    -- IANA name; `delay`, `format` and schedules count by it.
    timezone       TEXT    NOT NULL,
    -- ISO 3166 code by which phone numbers without a country are read; NULL: such numbers are refused.
    country        TEXT,
    language       TEXT    NOT NULL,
    -- { "days": { "mon": [["09:00", "18:00"]], … }, "holidays": ["2026-12-25"] }
    business_hours TEXT    NOT NULL CHECK (json_valid(business_hours)),
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    organisation    BLOB    NOT NULL REFERENCES organisations (id),
    id              BLOB    NOT NULL CHECK (length(id) = 16),
    -- Lower case: people type it as they like.
    email           TEXT    NOT NULL CHECK (email = lower(email)),
    name            TEXT    NOT NULL,
    -- PHC string (argon2id).
    password_hash   TEXT    NOT NULL,
    role            TEXT    NOT NULL CHECK (role IN ('admin', 'agent')),
    active          INTEGER NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    created_at      INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, email)
) STRICT;

-- Found by the hash of the cookie alone: the organisation follows from it, and is part of the row.
CREATE TABLE sessions (
    token_hash   BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    organisation BLOB    NOT NULL,
    user_id      BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    -- Moved forward by use, in steps, so that reading a page is seldom a write; never past `ends_at`.
    expires_at   INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (organisation, user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

CREATE TABLE api_tokens (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    name         TEXT    NOT NULL CHECK (name <> ''),
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- The token's first characters, so that a person can tell which one it is.
    hint         TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('admin', 'agent')),
    created_at   INTEGER NOT NULL,
    -- To the hour: a token in use must not write at every call.
    last_used_at INTEGER,
    -- Kept after it ends: the audit log names it.
    revoked_at   INTEGER,
    PRIMARY KEY (organisation, id)
) STRICT;
-- A name can be used again once its token is revoked.
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (organisation, name) WHERE revoked_at IS NULL;

CREATE TABLE audit_log (
    organisation BLOB    NOT NULL REFERENCES organisations (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    at           INTEGER NOT NULL,
    -- { "kind": "user", "id": "…", "name": "…" }
    actor        TEXT    NOT NULL CHECK (json_valid(actor)),
    -- `user.created`, `connection.updated` …
    action       TEXT    NOT NULL,
    -- What it was done to: a kind and an id.
    subject      TEXT    NOT NULL,
    subject_id   TEXT    NOT NULL,
    -- The fields that changed, small; never a secret.
    before       TEXT    CHECK (json_valid(before)),
    after        TEXT    CHECK (json_valid(after)),
    PRIMARY KEY (organisation, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_log_subject ON audit_log (organisation, subject, subject_id, id);

-- Failed sign-ins by e-mail and by network address; durable, so that a restart gives no new guesses.
CREATE TABLE sign_in_failures (
    organisation BLOB    NOT NULL,
    -- `email:…` or `address:…`.
    subject      TEXT    NOT NULL,
    failures     INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    PRIMARY KEY (organisation, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_in_failures_old ON sign_in_failures (last_at);
