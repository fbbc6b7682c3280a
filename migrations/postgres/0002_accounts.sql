-- Who works here: organisations, users, sessions, tokens, the audit log.
-- Ids are 16-byte UUIDs, times are milliseconds since 1970 UTC, JSON is text. Every table carries the organisation, and so
-- does every index that is not over a secret's hash: no query can forget it and still be fast.

CREATE TABLE organisations (
    id             UUID    NOT NULL PRIMARY KEY,
    -- What `--org` and URLs say.
    name           TEXT COLLATE "C"    NOT NULL UNIQUE CHECK (name <> ''),
    title          TEXT COLLATE "C"    NOT NULL,
    -- IANA name; `delay`, `format` and schedules count by it.
    timezone       TEXT COLLATE "C"    NOT NULL,
    -- ISO 3166 code by which phone numbers without a country are read; NULL: such numbers are refused.
    country        TEXT COLLATE "C",
    language       TEXT COLLATE "C"    NOT NULL,
    -- { "days": { "mon": [["09:00", "18:00"]], … }, "holidays": ["2026-12-25"] }
    business_hours TEXT COLLATE "C"    NOT NULL CHECK (business_hours::json IS NOT NULL),
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL
);

CREATE TABLE users (
    organisation    UUID    NOT NULL REFERENCES organisations (id),
    id              UUID    NOT NULL,
    -- Lower case: people type it as they like.
    email           TEXT COLLATE "C"    NOT NULL CHECK (email = lower(email)),
    name            TEXT COLLATE "C"    NOT NULL,
    -- PHC string (argon2id).
    password_hash   TEXT COLLATE "C"    NOT NULL,
    role            TEXT COLLATE "C"    NOT NULL CHECK (role IN ('admin', 'agent')),
    active          BOOLEAN NOT NULL DEFAULT TRUE,
    created_at      BIGINT NOT NULL,
    last_sign_in_at BIGINT,
    PRIMARY KEY (organisation, id),
    UNIQUE (organisation, email)
);

-- Found by the hash of the cookie alone: the organisation follows from it, and is part of the row.
CREATE TABLE sessions (
    token_hash   BYTEA    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    organisation UUID    NOT NULL,
    user_id      UUID    NOT NULL,
    created_at   BIGINT NOT NULL,
    -- Moved forward by use, in steps, so that reading a page is seldom a write; never past `ends_at`.
    expires_at   BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL,
    FOREIGN KEY (organisation, user_id) REFERENCES users (organisation, id) ON DELETE CASCADE
);
CREATE INDEX sessions_of_user ON sessions (organisation, user_id);
CREATE INDEX sessions_expired ON sessions (expires_at);

CREATE TABLE api_tokens (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    name         TEXT COLLATE "C"    NOT NULL CHECK (name <> ''),
    token_hash   BYTEA    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    -- The token's first characters, so that a person can tell which one it is.
    hint         TEXT COLLATE "C"    NOT NULL,
    role         TEXT COLLATE "C"    NOT NULL CHECK (role IN ('admin', 'agent')),
    created_at   BIGINT NOT NULL,
    -- To the hour: a token in use must not write at every call.
    last_used_at BIGINT,
    -- Kept after it ends: the audit log names it.
    revoked_at   BIGINT,
    PRIMARY KEY (organisation, id)
);
-- A name can be used again once its token is revoked.
CREATE UNIQUE INDEX api_tokens_name ON api_tokens (organisation, name) WHERE revoked_at IS NULL;

CREATE TABLE audit_log (
    organisation UUID    NOT NULL REFERENCES organisations (id),
    id           UUID    NOT NULL,
    at           BIGINT NOT NULL,
    -- { "kind": "user", "id": "…", "name": "…" }
    actor        TEXT COLLATE "C"    NOT NULL CHECK (actor::json IS NOT NULL),
    -- `user.created`, `connection.updated` …
    action       TEXT COLLATE "C"    NOT NULL,
    -- What it was done to: a kind and an id.
    subject      TEXT COLLATE "C"    NOT NULL,
    subject_id   TEXT COLLATE "C"    NOT NULL,
    -- The fields that changed, small; never a secret.
    before       TEXT COLLATE "C"    CHECK (before IS NULL OR before::json IS NOT NULL),
    after        TEXT COLLATE "C"    CHECK (after IS NULL OR after::json IS NOT NULL),
    PRIMARY KEY (organisation, id)
);
CREATE INDEX audit_log_subject ON audit_log (organisation, subject, subject_id, id);

-- Failed sign-ins by e-mail and by network address; durable, so that a restart gives no new guesses.
CREATE TABLE sign_in_failures (
    organisation UUID    NOT NULL,
    -- `email:…` or `address:…`.
    subject      TEXT COLLATE "C"    NOT NULL,
    failures     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    PRIMARY KEY (organisation, subject)
);
CREATE INDEX sign_in_failures_old ON sign_in_failures (last_at);
